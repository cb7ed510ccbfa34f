package millrace

import (
	"fmt"

	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/sinks"
)

// Mode says what of a changing result a sink is given. The table of what can be written in which mode is in
// docs/modes-and-triggers.md; what cannot is refused by Start.
type Mode = sinks.Mode

const (
	// Append writes a row once, when it is final.
	Append = sinks.Append
	// Update writes the changes of rows: each of them while records flow one by one, and under a micro-batch trigger one for each row
	// that changed in the batch, with its last value. A withdrawn row is a record of kind delete.
	Update = sinks.Update
	// Complete writes the whole table at the end of each batch in which it changed; in real-time mode, once per interval. It is kept
	// for ever and written by one task.
	Complete = sinks.Complete
)

// nature is what makes the rows of a changing result.
type nature uint8

const (
	aggregated nature = iota
	processed
	regrouped // aggregated from rows that change
)

// origin is the step that made the rows that s hands on.
func (s *step) origin() *step {
	for s.passes {
		s = s.readers[0].from()
	}
	return s
}

// result is a changing result on its way into a sink. row identifies its rows.
type result[R any, RK comparable] struct {
	job *Job
	out *port[R]
	row func(R) RK
	// noAppend and noComplete say why a mode is refused and what to do; nil: it is not.
	noAppend, noComplete error
}

// to writes the result to a sink under an output mode.
func (r result[R, RK]) to(id string, sink sinks.Sink[R], m Mode) {
	st := r.job.add("To", id, plan.Step{Kind: "sink", Type: typeName[R](), Sink: true, Config: m.String()})
	r.job.fault(r.refused(id, m))
	switch m {
	case Append:
		st.asks = wantFinal
		toSink(r.out, st, sink, m, func(tb *taskBuild, add func(R)) (func(R), error) {
			return finals(tb, r.out.step.demand, add), nil
		})
	case Update:
		r.update(st, sink)
	case Complete:
		st.asks, st.Keyed = wantChanges|wantAll, true
		toSink(r.out, st, sink, m, func(tb *taskBuild, add func(R)) (func(R), error) {
			return operators.NewCompleteGate(tb.task.Env, id, r.row, add)
		})
	default:
		toSink(r.out, st, sink, m, nil)
	}
}

func (r result[R, RK]) refused(id string, m Mode) error {
	var why error
	switch m {
	case Append:
		why = r.noAppend
	case Complete:
		why = r.noComplete
	case Update:
	default:
		return fmt.Errorf("operator %q: output %s, want millrace.Append, millrace.Update or millrace.Complete", id, m)
	}
	if why == nil {
		return nil
	}
	return fmt.Errorf("operator %q: %s of %q, %w", id, m, r.out.step.ID, why)
}

// update enters a sink of changes: as they come, or behind a gate that holds them until the end of the batch. Either is keyed, so
// that a state of the one can be restored by the other.
func (r result[R, RK]) update(st *step, sink sinks.Sink[R]) {
	st.Keyed = true
	if _, err := operators.NewRowKey[RK](); err != nil {
		r.job.fault(fmt.Errorf("operator %q: %w", st.ID, err))
		return
	}
	reading := toSink(r.out, st, sink, Update, func(tb *taskBuild, add func(R)) (func(R), error) {
		if tb.d.config.batched() {
			return operators.NewUpdateGate(tb.task.Env, st.ID, r.row, add)
		}
		return operators.NewUpdatePass(tb.task.Env, st.ID, r.row, changes(tb, r.out.step.demand, add))
	})
	reading.keys = byRow(r.row)
	st.settle = func(c Config) {
		st.asks, reading.ship = wantChanges, plan.Forward
		if c.batched() {
			st.asks, reading.ship = wantChanges|wantBefore, plan.Hash
		}
		st.In[0].Ship = reading.ship
	}
}

// byRow sends a record to the task whose gate holds its row.
func byRow[R any, RK comparable](row func(R) RK) scatterer[R] {
	return func(env *operators.Env, o *mailbox.Out[R], owner []uint16) func(R) {
		key, err := operators.NewRowKey[RK]()
		if err != nil {
			panic(err) // Start has refused it
		}
		mask := uint64(len(owner) - 1)
		return func(v R) {
			o.AddKind(int(owner[key.Hash(row(v))&mask]), v, env.TimeNS, env.Hash, env.Kind)
		}
	}
}

// changes gives the step behind it the changes of rows, whatever other readers want besides.
func changes[R any](tb *taskBuild, d demand, next func(R)) func(R) {
	if d.has(wantBefore) {
		next = operators.Upserts(tb.task.Env, next)
	}
	return changesOnly(tb, d, next)
}

// before says whether a reader of operator id wants the values that changes replace.
func (tb *taskBuild) before(id string) bool { return tb.d.job.byID[id].demand.has(wantBefore) }

// batched says whether the job's records come in batches, rather than one by one.
func (c Config) batched() bool { return c.Trigger.batches() }
