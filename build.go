package millrace

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/state"
)

// deployment is one building of a plan: the tasks of an attempt with their lanes, or a rehearsal that opens nothing and
// only shows what is wrong and which states there are.
type deployment struct {
	job       *Job
	plan      *plan.Plan
	config    Config
	ctx       context.Context
	attempt   flow.Attempt
	lineage   string
	keyGroups int
	bytes     func(task string) (state.ByteStores, error) // nil: live state in memory
	now       func() int64
	refuse    func() bool // asked before a batch goes into a lane: for tests; nil: lanes refuse when they are full
	rehearsal bool
	free      func(dir string) (int64, error) // of disk space; nil: as the system says
	spread    *spread                         // over processes; nil: all tasks are of this one

	byChain map[string][]*actors.Task // by the chain's head
	edges   map[any]any               // *reader[T] to *edge[T]
	clocks  *operators.Clocks         // of all tasks that make watermarks
	faults  []error
}

// tasks are those of the chain a step runs in.
func (d *deployment) tasks(step string) []*actors.Task { return d.byChain[d.plan.ChainOf(step).Head] }

func (d *deployment) fault(err error) {
	if err != nil {
		d.faults = append(d.faults, err)
	}
}

// taskBuild is the building of one task: its chain is compiled from the head on.
type taskBuild struct {
	d    *deployment
	task *actors.Task
	memo map[any]any // *port[T] to its compiled func(T): a step with two inputs is compiled once
}

// built takes what an operator's constructor gave: its closure, or a fault.
func built[T any](tb *taskBuild, id string, f func(T), err error) func(T) {
	if err != nil {
		tb.d.fault(fmt.Errorf("operator %q: %w", id, err))
		return func(T) {}
	}
	return f
}

// build makes all tasks and lanes.
func (d *deployment) build() (*actors.Deployment, error) {
	d.byChain, d.edges, d.clocks = map[string][]*actors.Task{}, map[any]any{}, new(operators.Clocks)
	for i := range d.plan.Chains {
		d.makeTasks(&d.plan.Chains[i])
	}
	if len(d.faults) > 0 {
		return nil, errors.Join(d.faults...)
	}
	for _, s := range d.job.steps {
		for _, r := range s.readers {
			if !d.plan.Fused(r.from().ID, s.ID) {
				r.connect(d)
			}
		}
	}
	for i := range d.plan.Chains {
		d.compile(&d.plan.Chains[i])
	}
	out := d.result()
	if len(d.faults) > 0 {
		out.Discard()
		return nil, errors.Join(d.faults...)
	}
	return out, nil
}

// makeTasks makes a chain's tasks, each with its store.
func (d *deployment) makeTasks(c *plan.Chain) {
	cache := d.config.cacheBytes(d.keyedTasks())
	for i := range c.Tasks {
		clock := new(state.Clock)
		o := state.Options{
			Groups: flow.RangeOf(i, d.keyGroups, c.Tasks), KeyGroups: d.keyGroups, Clock: clock,
			CacheBytes: cache, Volatile: d.config.Guarantee == AtMostOnce,
		}
		away := d.away(c.Head, i)
		if d.bytes != nil && !d.rehearsal && !away && d.keyed(c) {
			b, err := d.bytes(fmt.Sprintf("%s-%d", c.Head, i))
			d.fault(err)
			o.Bytes = b
		}
		t := actors.NewTask(actors.TaskConfig{
			Chain: c.Head, Operators: c.Steps, Keyed: d.keyed(c), Index: i, Count: c.Tasks, Attempt: d.attempt, Now: d.now, Clock: clock, Store: state.NewStore(o),
		})
		t.Away = away
		d.byChain[c.Head] = append(d.byChain[c.Head], t)
	}
}

// keyedTasks is how many tasks have state.
func (d *deployment) keyedTasks() (n int) {
	for i := range d.plan.Chains {
		if c := &d.plan.Chains[i]; d.keyed(c) {
			n += c.Tasks
		}
	}
	return n
}

func (d *deployment) keyed(c *plan.Chain) bool {
	for _, id := range c.Steps {
		if d.plan.Step(id).Keyed {
			return true
		}
	}
	return false
}

// compile builds the closures of a chain in each of its tasks.
func (d *deployment) compile(c *plan.Chain) {
	head := d.job.byID[c.Head]
	for _, t := range d.byChain[c.Head] {
		if t.Away && !d.rehearsal {
			continue // its process compiles it
		}
		tb := &taskBuild{d: d, task: t, memo: map[any]any{}}
		if head.Source {
			head.source(tb)
			continue
		}
		for _, r := range head.readers {
			r.attach(tb)
		}
	}
}

// result hands the tasks over, consumers before their producers.
func (d *deployment) result() *actors.Deployment {
	out := &actors.Deployment{Stores: map[string][]*actors.Task{}, KeyGroups: d.keyGroups}
	for i := len(d.plan.Chains) - 1; i >= 0; i-- {
		out.Tasks = append(out.Tasks, d.byChain[d.plan.Chains[i].Head]...)
	}
	for _, s := range d.job.steps {
		if s.Keyed {
			out.Stores[s.ID] = d.tasks(s.ID)
		}
		if t, ok := s.sink.(sinks.Transactional); ok {
			out.Sinks = append(out.Sinks, actors.SinkGroup{ID: s.ID, Recover: d.recovery(s, t), Tasks: d.tasks(s.ID)})
		}
		if s.Source {
			out.Groups = append(out.Groups, actors.SourceGroup{
				ID: s.ID, Splits: s.splits.find, DiscoverEvery: s.splits.discoverEvery, Tasks: d.tasks(s.ID),
			})
		}
	}
	return out
}

// schemas lists the states of all operators, and the positions of the sources.
func (d *deployment) schemas() []delta.Schema {
	var all []delta.Schema
	for _, s := range d.job.steps {
		if s.Source {
			all = append(all, delta.Schema{Operator: s.ID, State: actors.SplitsState, Key: `"string"`, Value: `"bytes"`})
		}
		if _, ok := s.sink.(sinks.Transactional); ok {
			all = append(all, delta.Schema{Operator: s.ID, State: actors.PreparedState, Key: `"bytes"`, Value: `"bytes"`})
		}
		if !s.Source { // the head of a chain, with some number of tasks
			all = append(all, delta.Schema{Operator: s.ID, State: actors.ChannelState, Key: `"bytes"`, Value: `"bytes"`})
		}
		if s.keeps {
			all = append(all, delta.Schema{Operator: s.ID, State: actors.WaitingState, Key: `"bytes"`, Value: `"bytes"`})
		}
		if s.Waits {
			all = append(all, delta.Schema{Operator: s.ID, State: actors.WatermarkState, Key: `"int"`, Value: `"long"`})
		}
		if s.tableSum != nil {
			all = append(all, staticSchema(s.ID, s.tableSum()))
		}
	}
	for i := range d.plan.Chains {
		env := d.byChain[d.plan.Chains[i].Head][0].Env
		all = append(all, env.Store.Schemas()...)
		for _, id := range env.FinalIDs() {
			all = append(all, delta.Schema{Operator: id, State: actors.EmittedState, Key: `"int"`, Value: `"null"`})
		}
	}
	return all
}
