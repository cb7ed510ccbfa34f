package millrace

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// Job is a named topology with its sources and sinks. Streams are built from it in one goroutine; what is wrong with them
// is remembered and reported by Start, all of it together. A job is started once.
type Job struct {
	name    string
	steps   []*step
	byID    map[string]*step
	faults  []error
	started bool
}

// step is a named operator with the typed closures that make it, rubbed off.
type step struct {
	plan.Step
	made    string                        // the method that made it, for error texts
	readers []connector                   // its inputs, in order
	source  func(*taskBuild)              // makes the head of a source's task
	sides   map[string]*sideOutput        // by tag name
	letters *port[flow.DeadLetter]        // what a source could not decode
	checks  []func(context.Context) error // asked once, before any record flows
	splits  *sourceControl
	sink    any
	missing bool // the sink is nil
	// standing says that an aggregation's rows stand in its own state for ever.
	standing bool
	// rewritten says that the sinks behind a step that emits at the end want all of it in each attempt.
	rewritten bool
	// expires says that an aggregation forgets rows which it does not withdraw.
	expires bool
	// nature is what makes the rows of a changing result.
	nature nature
	// settle fixes what of the step depends on the configuration.
	settle func(Config)
	mode   Mode // of a sink
	// untimed says that the step waits for nothing but the end of the input, which needs no event time.
	untimed bool
	// keeps says that the step keeps inputs that belong to no key.
	keeps bool
	// timed says that the source's batches carry watermarks of their own.
	timed bool
	// tableSum is the hash of a static join's table, once that is loaded.
	tableSum func() string
	// asks is what the step wants of the rows it reads; passes says that it wants for itself what its own readers want.
	asks   demand
	passes bool
	demand demand // what its readers want of its rows, from compile on
}

// NewJob begins a topology. The name is part of the state's identity: letters, digits, dash, underscore and dot.
func NewJob(name string) *Job {
	j := &Job{name: name, byID: map[string]*step{}}
	if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		j.fault(fmt.Errorf("job name %q: want letters, digits, dash, underscore and dot", name))
	}
	return j
}

// Name is the job's name.
func (j *Job) Name() string { return j.name }

func (j *Job) fault(err error) {
	if err != nil {
		j.faults = append(j.faults, err)
	}
}

// add enters a step. A bad id is remembered; the step is entered all the same, so that building goes on.
func (j *Job) add(made, id string, p plan.Step) *step {
	s := &step{Step: p, made: made}
	s.ID = id
	switch old := j.byID[id]; {
	case id == "":
		j.fault(fmt.Errorf("%s has no id; every operator needs one, it names its state in checkpoints", made))
	case strings.ContainsAny(id, "\n\r\t\x00"):
		j.fault(fmt.Errorf("operator id %q: want no control characters", id))
	case old != nil:
		j.fault(fmt.Errorf("operator id %q used twice (%s and %s)", id, old.made, made))
	default:
		j.byID[id] = s
	}
	j.steps = append(j.steps, s)
	return s
}

// From reads a source: the beginning of a stream. The id names the positions in a checkpoint.
func (j *Job) From[T any](id string, src sources.Source[T]) Stream[T] {
	s := j.add("From", id, plan.Step{Kind: "source", Type: typeName[T](), Source: true})
	out := newPort[T](s)
	s.letters = newPort[flow.DeadLetter](s)
	if src == nil {
		j.fault(fmt.Errorf("operator %q: source is nil", id))
		return Stream[T]{j, out}
	}
	bindSource(s, src, out)
	return Stream[T]{j, out}
}

// DeadLetters sends every record that a source of this job could not decode to sink, with where it came from and why,
// instead of failing the job. Call it after the sources were built.
func (j *Job) DeadLetters(id string, sink sinks.Sink[flow.DeadLetter]) {
	var all []Stream[flow.DeadLetter]
	for _, s := range j.steps {
		if s.Source {
			all = append(all, Stream[flow.DeadLetter]{j, s.letters})
		}
	}
	switch len(all) {
	case 0:
		j.fault(fmt.Errorf("operator %q: DeadLetters before any source was built", id))
	case 1:
		all[0].To(id, sink)
	default:
		all[0].Union(id+"-union", all[1:]...).To(id, sink)
	}
}

// compile fixes chains and parallelism and returns everything that is wrong with the topology.
func (j *Job) compile(c Config) (*plan.Plan, error) {
	faults := append([]error{}, j.faults...)
	faults = append(faults, j.settle(c)...)
	j.demands()
	faults = append(faults, j.rewrites(c)...)
	hasSink := false
	for _, s := range j.steps {
		hasSink = hasSink || s.Sink
		if s.missing {
			faults = append(faults, fmt.Errorf("operator %q: sink is nil", s.ID))
		}
	}
	faults = append(faults, j.timeless()...)
	if !hasSink {
		faults = append(faults, errors.New("no stream ends in a sink; call To on what should come out"))
	}
	if len(faults) > 0 {
		return nil, j.wrong(faults)
	}
	steps := make([]*plan.Step, len(j.steps))
	for i, s := range j.steps {
		if g, ok := s.sink.(sinks.Guarantor); ok {
			s.Guarantee = g.Guarantee()
		}
		steps[i] = &s.Step
	}
	p, more := plan.New(j.name, steps, c.planOptions())
	for _, s := range j.steps {
		for _, r := range s.readers {
			if len(more) == 0 && !p.Fused(r.from().ID, s.ID) {
				more = append(more, r.encodable())
			}
		}
	}
	return p, j.wrong(more)
}

func (j *Job) wrong(faults []error) error {
	err := errors.Join(faults...)
	if err == nil {
		return nil
	}
	return fmt.Errorf("millrace: job %q: %w", j.name, err)
}

// Describe renders the plan as text: chains with their tasks, operators with what they read.
func (j *Job) Describe(c Config) (string, error) {
	p, err := j.compile(c.withDefaults())
	if err != nil {
		return "", err
	}
	return p.Text(), nil
}
