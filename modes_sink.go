package millrace

import (
	"fmt"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/sinks"
)

// gate makes what stands before a sink's writer in a task; nil: nothing does.
type gate[T any] func(tb *taskBuild, next func(T)) (func(T), error)

// toSink enters the reading of p by sink step s under mode m.
func toSink[T any](p *port[T], s *step, sink sinks.Sink[T], m Mode, g gate[T]) *reader[T] {
	_, keeps := any(sink).(sinks.BatchKeeper)
	keeps = keeps && m != Complete // a complete table stands in a state already
	s.Keyed = s.Keyed || keeps
	end := sinkEnd(s, sink, m)
	into := func(tb *taskBuild, add actors.Adder[T]) func(T) {
		env := tb.task.Env
		f := func(v T) { add.Add(v, env.TimeNS, env.Hash, env.Kind) }
		if keeps {
			held, err := operators.NewBatchGate(env, s.ID, f)
			f = built(tb, s.ID, held, err)
		}
		if g != nil {
			gated, err := g(tb, f)
			f = built(tb, s.ID, gated, err)
		}
		return f
	}
	r := read(p, s, plan.Forward, nil, func(tb *taskBuild) func(T) { return into(tb, end(tb)) })
	r.batches = func(tb *taskBuild) func(*flow.Batch[T]) {
		add := end(tb)
		f := into(tb, add)
		if w, ok := add.(actors.BatchWriter[T]); ok && !keeps && (g == nil || m == Update && !tb.d.config.batched() && p.step.demand == wantChanges) {
			return w.WriteBatch
		}
		return eachRecord(tb.task.Env, f)
	}
	return r
}

// discard is the end of a rehearsal.
type discard[T any] struct{}

func (discard[T]) Add(T, int64, uint64, flow.Kind) {}

// sinkEnd is how a sink step takes records: by its writer, opened when the attempt is deployed.
func sinkEnd[T any](s *step, sink sinks.Sink[T], m Mode) func(*taskBuild) actors.Adder[T] {
	if c, ok := sink.(sinks.Checker); ok {
		s.checks = append(s.checks, c.Check)
	}
	s.missing, s.sink, s.mode = sink == nil, sink, m
	return func(tb *taskBuild) actors.Adder[T] {
		if tb.d.rehearsal {
			return discard[T]{}
		}
		w, err := sink.Open(tb.d.ctx, tb.d.instance(s, tb.task.Index, tb.task.Count))
		if err == nil {
			err = wellCommitted(sink, w)
		}
		if err != nil {
			tb.d.fault(fmt.Errorf("open sink %q, task %d/%d: %w", s.ID, tb.task.Index, tb.task.Count, err))
			return discard[T]{}
		}
		return actors.NewSink(tb.task, s.ID, w, tb.d.config.BatchRecords, tb.d.config.LaneBatches)
	}
}

// instance is the writer of task index of sink step s.
func (d *deployment) instance(s *step, index, count int) sinks.Instance {
	return sinks.Instance{
		Job: d.job.name, Lineage: d.lineage, Operator: s.ID, Task: index, Tasks: count, Attempt: d.attempt,
		Mode: s.mode, Batched: batched(d.config, s.mode), Resumes: d.config.StateDir != "" && d.config.Guarantee != AtMostOnce,
	}
}

// batched says whether what a sink is written comes in batches.
func batched(c Config, m Mode) bool { return m == Complete || c.batched() }

// settle fixes what of the steps depends on the configuration, and says what of it they cannot have.
func (j *Job) settle(c Config) (faults []error) {
	for _, s := range j.steps {
		if s.settle != nil {
			s.settle(c)
		}
		if !s.Sink {
			continue
		}
		if err := sinks.CheckMode(s.sink, s.mode); err != nil {
			faults = append(faults, fmt.Errorf("operator %q: %w", s.ID, err))
		}
		faults = append(faults, s.commitFaults(c)...)
		if s.Tasks = 0; !s.single(c) {
			continue
		}
		s.Tasks = 1
		if n := c.Operators[s.ID].Parallelism; n > 1 {
			faults = append(faults, fmt.Errorf("operator %q: Parallelism is %d, but its output has one writer; leave it out", s.ID, n))
		}
	}
	return faults
}

// single says whether a sink step must be one task.
func (s *step) single(c Config) bool {
	if _, ok := s.sink.(sinks.BatchKeeper); ok || s.mode == Complete {
		return true
	}
	one, ok := s.sink.(sinks.Single)
	return ok && one.Single(batched(c, s.mode))
}
