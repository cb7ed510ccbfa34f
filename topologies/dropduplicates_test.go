package topologies_test

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/topologies"
)

func stamped(at time.Duration, value string) topologies.Stamped {
	return topologies.Stamped{TimeNS: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(at).UnixNano(), Value: value}
}

func itself[T any](v T) T { return v }

func dropDuplicates(in millrace.Stream[topologies.Stamped]) millrace.Stream[topologies.Stamped] {
	return topologies.DropDuplicates(in, itself)
}

func TestDropDuplicates(t *testing.T) {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[topologies.Stamped](), s.Output[topologies.Stamped]()
		s.Build(func(j *millrace.Job) { dropDuplicates(j.From("rows", in)).To("out", out) })

		in.Send(stamped(0, "x"), stamped(0, "x"), stamped(0, "y"), stamped(5*time.Second, "x"), stamped(0, "x"))
		out.Want(stamped(0, "x"), stamped(0, "y"), stamped(5*time.Second, "x"))
		if n := s.Entries("unique"); n != 3 {
			s.T().Errorf("%d rows remembered, want 3", n)
		}
		in.Send(stamped(20*time.Second, "x")) // the watermark is now 10 s
		out.Want(stamped(20*time.Second, "x"))
		in.Send(stamped(5*time.Second, "x"), stamped(6*time.Second, "new")) // late, and never new
		out.Want()
		in.Send(stamped(10*time.Second, "x"), stamped(10*time.Second, "x"))
		out.Want(stamped(10*time.Second, "x"))
		if n, late := s.Entries("unique"), s.Late(); n != 2 || late != 2 {
			s.T().Errorf("%d rows remembered and %d late, want 2 and 2", n, late)
		}
	})
}

// Of the generated rows each comes out once, and none is late.
func TestGeneratedDuplicates(t *testing.T) {
	in, seen := make([]topologies.Stamped, invariants.Sized(500, 200)), map[topologies.Stamped]bool{}
	var want []topologies.Stamped
	for i := range in {
		in[i] = topologies.RepeatedRow(int64(i))
		if !seen[in[i]] {
			seen[in[i]] = true
			want = append(want, in[i])
		}
	}
	if got := millracetest.Run(t, dropDuplicates, in...); !slices.Equal(got, want) || len(want) > len(in)*9/10 {
		t.Fatalf("%d rows of %d came out, want %d in the order in which they came first", len(got), len(in), len(want))
	}
}
