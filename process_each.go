package millrace

import (
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
)

// Unkeyed is the key of records that have none: see Stream.Process.
type Unkeyed = operators.Unkeyed

// Process gives f each record with a context: f may emit any number of records, also to side outputs, look at event time, processing
// time and watermark, and fail. It has no state and no timers; those belong to keys: see Keyed.Process.
func (s Stream[T]) Process[U any](id string, f Handler[Unkeyed, T, U]) Stream[U] {
	s.need(id, f == nil)
	st := s.job.add("Process", id, plan.Step{Kind: "process-each", Type: typeName[U]()})
	st.sides = map[string]*sideOutput{}
	out := newPort[U](st)
	read(s.out, st, plan.Forward, nil, func(tb *taskBuild) func(T) {
		return operators.ProcessEach(tb.task.Env, id, f, st.compileSides(tb), out.sink(tb))
	})
	return Stream[U]{s.job, out}
}
