package millrace

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
)

// Lookup says how AsyncLookup asks.
type Lookup struct {
	// Concurrency is how many questions each task asks at once; 0 means 64. While so many are open the task takes no input.
	Concurrency int
	// Unordered lets answers leave as they come. Otherwise they leave in the order of their inputs. Either way no watermark
	// passes an input that came before it and is not answered.
	Unordered bool
	// Timeout bounds one try; 0 means 10 s, negative: no bound.
	Timeout time.Duration
	// Retries is how often a question that failed is asked again; the default is not at all.
	Retries int
	// Backoff is the wait before the first retry, doubled for each that follows; 0 means 100 ms.
	Backoff time.Duration
}

func (l Lookup) withDefaults() Lookup {
	if l.Concurrency == 0 {
		l.Concurrency = 64
	}
	switch {
	case l.Timeout == 0:
		l.Timeout = 10 * time.Second
	case l.Timeout < 0:
		l.Timeout = 0
	}
	if l.Backoff == 0 {
		l.Backoff = 100 * time.Millisecond
	}
	return l
}

// Unanswered is the side output of AsyncLookup: the inputs whose look-up failed, with all its retries. While nothing reads it, one
// such input fails the job.
func Unanswered[T any]() Tag[T] { return operators.NewTag[T]("unanswered") }

// AsyncLookup asks ask about each record and emits its answers: a database, a service. ask runs on goroutines of its own,
// several at once, and must give up when ctx ends. Inputs that are not answered are in the snapshot and are asked again after a
// restart, so ask may see an input twice; what follows sees one answer.
func (s Stream[T]) AsyncLookup[U any](id string, l Lookup, ask func(ctx context.Context, v T) (U, error)) Stream[U] {
	s.need(id, ask == nil)
	l = l.withDefaults()
	for _, f := range []struct {
		ok   bool
		rule string
	}{
		{l.Concurrency > 0, fmt.Sprintf("Lookup.Concurrency is %d, want at least 1", l.Concurrency)},
		{l.Retries >= 0, fmt.Sprintf("Lookup.Retries is %d, want at least 0", l.Retries)},
		{l.Backoff > 0, fmt.Sprintf("Lookup.Backoff is %v, want more than 0", l.Backoff)},
	} {
		if !f.ok {
			s.job.fault(fmt.Errorf("operator %q: %s", id, f.rule))
		}
	}
	p := plan.Step{Kind: "async-lookup", Type: typeName[U]()}
	if c, err := codec.Derive[T](); err == nil { // else the rehearsal says so
		p.Config = c.Schema()
	}
	st := s.job.add("AsyncLookup", id, p)
	st.sides, st.keeps = map[string]*sideOutput{}, true
	out := newPort[U](st)
	read(s.out, st, plan.Forward, nil, func(tb *taskBuild) func(T) {
		tb.task.Env.WholeBatches = tb.d.config.Trigger.batches()
		failed, _ := st.compileSides(tb)[Unanswered[T]().Name()].(func(T))
		op, err := operators.NewLookup(tb.task.Env, id, operators.LookupConfig{
			Concurrency: l.Concurrency, Unordered: l.Unordered, Timeout: l.Timeout, Retries: l.Retries, Backoff: l.Backoff,
		}, ask, failed, out.sink(tb))
		if err != nil {
			return built(tb, id, func(T) {}, err)
		}
		return op.Step
	})
	return Stream[U]{s.job, out}
}
