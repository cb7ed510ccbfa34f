package topologies

import (
	"flag"
	"fmt"
	"strconv"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/state"
)

// Student is a student, Class the class of one.
type (
	Student struct {
		Name  string  `json:"name"`
		Age   int64   `json:"age"`
		Score float64 `json:"score"`
	}
	Class struct {
		Student string `json:"student"`
		Class   string `json:"class"`
	}
)

// ClassMember is a student with the class; Class is nil when there is none.
type ClassMember struct {
	Name  string  `json:"name"`
	Age   int64   `json:"age"`
	Score float64 `json:"score"`
	Class *string `json:"class"`
}

func member(s Student, c Class) ClassMember { return ClassMember{s.Name, s.Age, s.Score, &c.Class} }

func studentName(s Student) string { return s.Name }

// StudentOf is the key of classes.
func StudentOf(c Class) string { return c.Student }

// StudentsClasses joins students to a static table of classes: inner drops those without a class, left keeps them.
func StudentsClasses(students millrace.Stream[Student], classes *millrace.Static[string, Class], kind Join) millrace.Stream[ClassMember] {
	if kind == Left {
		return students.LeftJoinStatic("join", classes, studentName, func(s Student, c Class, has bool) ClassMember {
			if !has {
				return ClassMember{Name: s.Name, Age: s.Age, Score: s.Score}
			}
			return member(s, c)
		})
	}
	return students.JoinStatic("join", classes, studentName, member)
}

// StudentsJoinClasses joins students to a stream of classes. There is no bound in time, so both are kept for ever.
func StudentsJoinClasses(students millrace.Stream[Student], classes millrace.Stream[Class]) millrace.Stream[ClassMember] {
	return students.KeyBy(studentName).JoinAll("join", classes.KeyBy(StudentOf), state.Forever, member)
}

var studentsClasses = runner.Topology{
	Name: "students-classes",
	Doc:  "S20: students joined to classes: to a static table, inner or left, or to a stream, inner and without a bound in time",
	Flags: func(fs *flag.FlagSet) runner.Build {
		in, table := registerInput(fs), registerStatic(fs, "classes: JSON objects with student and class")
		stream := fs.Bool("stream", false, "the classes are a stream too, the second topic or folder (students, classes)")
		return func(job *millrace.Job, o *runner.Options) error {
			joined, err := joinClasses(job, o, in, table, *stream)
			if err != nil {
				return err
			}
			joined.To("view", o.Latest([]string{"name", "age", "score", "class"}, func(m ClassMember) []string {
				return []string{m.Name, strconv.FormatInt(m.Age, 10), fmt.Sprint(m.Score), orDash(m.Class)}
			}))
			return in.writes(o, joined, func(m ClassMember) string { return m.Name })
		}
	},
}
