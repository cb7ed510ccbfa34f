package topologies

import (
	"errors"
	"strconv"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

const studentsPerSecond = 10

// joinClasses attaches the inputs of students-classes and joins them.
func joinClasses(job *millrace.Job, o *runner.Options, in *input, table *staticTable, stream bool) (joined millrace.Stream[ClassMember], err error) {
	if !stream {
		students, err := in.from(job, o, "students", studentsPerSecond, func(i int64) Student { return MakeStudent(i % builtInStudents) })
		if err != nil {
			return joined, err
		}
		classes, err := table.read(StudentOf, ClassRows()...)
		if err != nil {
			return joined, err
		}
		return StudentsClasses(students, classes, table.kind), nil
	}
	if table.kind != Inner || table.path != "" {
		return joined, errors.New("--stream joins two streams without a bound in time, which is inner: leave out --kind and --table")
	}
	both, err := in.each("students", "classes")
	if err != nil {
		return joined, err
	}
	students, err := both[0].from(job, o, "students", studentsPerSecond, MakeStudent)
	if err != nil {
		return joined, err
	}
	classes, err := both[1].from(job, o, "classes", studentsPerSecond, MakeClass)
	return StudentsJoinClasses(students, classes), err
}

// MakeStudent makes a student of a name of its own.
func MakeStudent(i int64) Student {
	return Student{studentNumber(i), 18 + below(i, 12), float64(below(^i, 201)) / 2}
}

// MakeClass makes a class of three out of four students, soon after or before the student.
func MakeClass(i int64) Class {
	return Class{studentNumber(i - i%4 + below(i, 3)), classNames[below(^i, int64(len(classNames)))]}
}

var classNames = []string{"algebra", "botany", "chemistry", "drama", "economics"}

func studentNumber(i int64) string { return "student " + strconv.FormatInt(i, 10) }

// builtInStudents is how many different students the static table is about.
const builtInStudents = 1000

// ClassRows are the rows of the built-in table, in which every fourth student has no class.
func ClassRows() (rows []Class) {
	for i := range int64(builtInStudents) {
		if i%4 != 3 {
			rows = append(rows, Class{studentNumber(i), classNames[below(^i, int64(len(classNames)))]})
		}
	}
	return rows
}
