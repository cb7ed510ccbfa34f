package topologies_test

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/topologies"
)

func static[V any](key func(V) string, rows ...V) *millrace.Static[string, V] {
	return millrace.NewStatic(sources.Slice(rows...), millrace.StaticConfig{}, key)
}

func pointer[T any](v T) *T { return &v }

func TestBroadcastJoin(t *testing.T) {
	visits := []topologies.Visit{{Page: "/a", Code: "nl"}, {Page: "/b", Code: "xx"}, {Page: "/c", Code: "se"}}
	nl := topologies.NamedVisit{Page: "/a", Code: "nl", Country: pointer("Netherlands")}
	se := topologies.NamedVisit{Page: "/c", Code: "se", Country: pointer("Sweden")}
	for kind, want := range map[topologies.Join][]topologies.NamedVisit{
		topologies.Inner: {nl, se},
		topologies.Left:  {nl, {Page: "/b", Code: "xx"}, se},
	} {
		got := millracetest.Run(t, func(in millrace.Stream[topologies.Visit]) millrace.Stream[topologies.NamedVisit] {
			countries := static(topologies.CountryCode, topologies.Country{Code: "se", Name: "Sweden"}, topologies.Country{Code: "nl", Name: "Netherlands"})
			return topologies.BroadcastJoin(in, countries, kind)
		}, visits...)
		if !slices.EqualFunc(got, want, func(a, b topologies.NamedVisit) bool {
			return a.Page == b.Page && a.Code == b.Code && (a.Country == b.Country || a.Country != nil && b.Country != nil && *a.Country == *b.Country)
		}) {
			t.Errorf("kind %d: got %v, want %v", kind, got, want)
		}
	}
}

var (
	ann, bob  = topologies.Student{Name: "ann", Age: 24, Score: 8.5}, topologies.Student{Name: "bob", Age: 31, Score: 6}
	annGo     = topologies.Class{Student: "ann", Class: "go"}
	annSQL    = topologies.Class{Student: "ann", Class: "sql"}
	bobGo     = topologies.Class{Student: "bob", Class: "go"}
	annInGo   = topologies.ClassMember{Name: "ann", Age: 24, Score: 8.5, Class: pointer("go")}
	annInSQL  = topologies.ClassMember{Name: "ann", Age: 24, Score: 8.5, Class: pointer("sql")}
	bobInGo   = topologies.ClassMember{Name: "bob", Age: 31, Score: 6, Class: pointer("go")}
	bobInNone = topologies.ClassMember{Name: "bob", Age: 31, Score: 6}
)

func TestStudentsInStaticClasses(t *testing.T) {
	for kind, want := range map[topologies.Join][]topologies.ClassMember{
		topologies.Inner: {annInGo, annInSQL},
		topologies.Left:  {annInGo, annInSQL, bobInNone},
	} {
		millracetest.Play(t, func(s *millracetest.Script) {
			in, out := s.Input[topologies.Student](), s.Output[topologies.ClassMember]()
			s.Build(func(j *millrace.Job) {
				topologies.StudentsClasses(j.From("students", in), static(topologies.StudentOf, annGo, annSQL), kind).To("out", out)
			})
			in.Send(ann, bob)
			out.Want(want...)
		})
	}
}

// Without a bound in time a student meets a class whenever either comes.
func TestStudentsJoinClasses(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		students, classes, out := s.Input[topologies.Student](), s.Input[topologies.Class](), s.Output[topologies.ClassMember]()
		s.Build(func(j *millrace.Job) {
			topologies.StudentsJoinClasses(j.From("students", students), j.From("classes", classes)).To("out", out)
		})
		classes.Send(annGo)
		out.Want()
		students.Send(bob, ann)
		out.Want(annInGo)
		s.Advance(1_000_000 * time.Hour)
		classes.Send(bobGo, annSQL)
		out.Want(bobInGo, annInSQL)
	})
}
