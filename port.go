package millrace

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/natslane"
	"github.com/millrace-io/millrace/operators"
)

// port is where the records of a step come out. Its readers are compiled once per task: into a closure each when they
// share the task, into a lane's writer when they do not.
type port[T any] struct {
	step    *step
	readers []*reader[T]
}

func newPort[T any](s *step) *port[T] { return &port[T]{step: s} }

// sink is what the step of this port calls with each record, in tb's task.
func (p *port[T]) sink(tb *taskBuild) func(T) {
	if f, ok := tb.memo[p].(func(T)); ok {
		return f
	}
	var outs []func(T)
	for _, r := range p.readers {
		if tb.d.plan.Fused(p.step.ID, r.to.ID) {
			next := r.into(tb)
			r.restorable(tb, next)
			outs = append(outs, next)
		} else {
			outs = append(outs, r.writer(tb))
		}
	}
	f := fanOut(outs)
	tb.memo[p] = f
	return f
}

func fanOut[T any](outs []func(T)) func(T) {
	switch len(outs) {
	case 0:
		return func(T) {}
	case 1:
		return outs[0]
	case 2:
		a, b := outs[0], outs[1]
		return func(v T) { a(v); b(v) }
	}
	return func(v T) {
		for _, f := range outs {
			f(v)
		}
	}
}

// reader is one step's reading of a port.
type reader[T any] struct {
	port *port[T]
	to   *step
	ship plan.Ship
	keys scatterer[T]             // how records are spread by key, when shipped by it
	into func(*taskBuild) func(T) // the step's own closure in its task
	// batches is the step's own way with whole batches, when it heads its chain; nil: into's closure is called with each record.
	batches func(*taskBuild) func(*flow.Batch[T])
}

// connector is a reader with its type rubbed off.
type connector interface {
	from() *step
	reads() *step
	ships() plan.Ship
	encodable() error
	connect(*deployment)
	attach(*taskBuild)
}

// scatterer makes the writer of records to the owners of their keys: o's consumers, of which owner names one per key group.
type scatterer[T any] func(env *operators.Env, o *mailbox.Out[T], owner []uint16) func(T)

// read enters a reading of p by step s.
func read[T any](p *port[T], s *step, ship plan.Ship, keys scatterer[T], into func(*taskBuild) func(T)) *reader[T] {
	r := &reader[T]{port: p, to: s, ship: ship, keys: keys, into: into}
	p.readers = append(p.readers, r)
	s.readers = append(s.readers, r)
	s.In = append(s.In, plan.Input{From: p.step.ID, Ship: ship})
	return r
}

func (r *reader[T]) from() *step      { return r.port.step }
func (r *reader[T]) reads() *step     { return r.to }
func (r *reader[T]) ships() plan.Ship { return r.ship }

// encodable says whether T can cross a lane to another process or be channel state, although local lanes encode nothing.
func (r *reader[T]) encodable() error {
	if _, err := codec.Derive[T](); err != nil {
		return fmt.Errorf("operator %q: records of %s cannot go to operator %q: %w", r.port.step.ID, typeName[T](), r.to.ID, err)
	}
	return nil
}

// edge is the lanes of a reading between two chains: lanes[producer][consumer].
type edge[T any] struct {
	pool   *mailbox.Pool[T]
	lanes  [][]*mailbox.Lane[T]
	values *codec.Encoding[T]
}

// connect makes the lanes: one per producer and consumer, so that each can be masked alone.
func (r *reader[T]) connect(d *deployment) {
	from, to := d.tasks(r.port.step.ID), d.tasks(r.to.ID)
	e := &edge[T]{pool: mailbox.NewPool[T](d.config.BatchRecords)}
	values, err := codec.Derive[T]()
	if err != nil {
		d.fault(r.encodable())
		return
	}
	e.values = values
	for _, p := range from {
		row := make([]*mailbox.Lane[T], len(to))
		for i, c := range to {
			row[i] = r.lane(d, e, p, c)
		}
		e.lanes = append(e.lanes, row)
	}
	d.edges[r] = e
}

// lane makes the lane between two tasks, as far as it is of this process: nil when neither of them is.
func (r *reader[T]) lane(d *deployment, e *edge[T], from, to *actors.Task) *mailbox.Lane[T] {
	n := d.config.LaneBatches
	switch {
	case d.rehearsal || !from.Away && !to.Away:
		l := mailbox.NewLane(n, e.pool, from.Bell(), to.Bell())
		if d.refuse != nil {
			l.Refuse(d.refuse)
		}
		return l
	case from.Away && to.Away:
		return nil
	case to.Away:
		l := mailbox.NewLane(n, e.pool, from.Bell(), nil)
		d.fault(r.sends(d, l, e, from, to))
		return l
	default:
		l := mailbox.NewLane(n, e.pool, nil, to.Bell())
		d.fault(r.receives(d, l, e, from, to))
		return l
	}
}

// sends carries what a task sends into a lane to the process of another.
func (r *reader[T]) sends(d *deployment, l *mailbox.Lane[T], e *edge[T], from, to *actors.Task) error {
	s, err := natslane.NewSender(r.far(d, from, to), l, e.values)
	if err != nil {
		return fmt.Errorf("operator %q: %w", r.to.ID, err)
	}
	from.AddIO(r.port.step.ID, "send records to another process", s)
	return nil
}

// receives carries what a task of another process sends into a lane.
func (r *reader[T]) receives(d *deployment, l *mailbox.Lane[T], e *edge[T], from, to *actors.Task) error {
	s, err := natslane.NewReceiver(r.far(d, from, to), l, e.values)
	if err != nil {
		return fmt.Errorf("operator %q: %w", r.to.ID, err)
	}
	to.AddIO(r.to.ID, "receive records from another process", s)
	return nil
}

// far is the lane between two tasks of different processes.
func (r *reader[T]) far(d *deployment, from, to *actors.Task) natslane.Config {
	c := d.spread.wire.Lane(d.lineage, d.attempt, d.job.edgeNumber(r), from.Index, to.Index)
	c.Name = fmt.Sprintf("from operator %q, task %d/%d, to operator %q, task %d/%d", r.port.step.ID, from.Index, from.Count, r.to.ID, to.Index, to.Count)
	return c
}

// edgeNumber tells the readings of a job apart.
func (j *Job) edgeNumber(r connector) (n int) {
	for _, s := range j.steps {
		for _, o := range s.readers {
			if o == r {
				return n
			}
			n++
		}
	}
	return n
}

// attach gives tb's task the consumer's ends of the lanes: the typed loop over a batch, ending in the step's closure.
func (r *reader[T]) attach(tb *taskBuild) {
	on, e := r.onBatch(tb), tb.d.edges[r].(*edge[T])
	var lanes []mailbox.Input
	for _, row := range e.lanes {
		lanes = append(lanes, mailbox.NewReceiver(row[tb.task.Index], tb.task.Attempt, e.values, on))
	}
	tb.task.AddLanes(r.edge(tb.d, e.values, on), lanes)
}

// edge is how what is on its way to the step is recorded and restored.
func (r *reader[T]) edge(d *deployment, values *codec.Encoding[T], on func(*flow.Batch[T])) actors.Edge {
	port := slices.IndexFunc(r.to.readers, func(c connector) bool { return c == connector(r) })
	return actors.Edge{Step: r.to.ID, Port: port, Schema: values.SchemaHash(), Owner: d.owner(r), Replay: mailbox.NewReplay(values, on)}
}

// restorable lets a reading without lanes take what was on its way when it had some, before another number of tasks made one chain of two. What
// cannot be encoded had none.
func (r *reader[T]) restorable(tb *taskBuild, next func(T)) {
	if values, err := codec.Derive[T](); err == nil {
		tb.task.AddEdge(r.edge(tb.d, values, eachRecord(tb.task.Env, next)))
	}
}

// eachRecord calls next with the records of a batch.
func eachRecord[T any](env *operators.Env, next func(T)) func(*flow.Batch[T]) {
	return func(b *flow.Batch[T]) {
		for i := range b.Records {
			rec := &b.Records[i]
			env.TimeNS, env.Hash, env.Kind = rec.TimeNS, rec.Hash, b.KindOf(i)
			next(rec.Value)
		}
	}
}

// onBatch is the consumer's loop over a batch.
func (r *reader[T]) onBatch(tb *taskBuild) func(*flow.Batch[T]) {
	if r.batches != nil {
		return r.batches(tb)
	}
	next, env := r.into(tb), tb.task.Env
	ahead := prefetcher[T](env, r.to.ID)
	return func(b *flow.Batch[T]) {
		env.Kind = flow.Insert
		if len(b.Kinds) == 0 {
			for rest := b.Records; len(rest) > 0; {
				some := rest[:min(len(rest), aheadRecords)]
				rest = rest[len(some):]
				ahead(some)
				for i := range some {
					rec := &some[i]
					env.TimeNS, env.Hash = rec.TimeNS, rec.Hash
					next(rec.Value)
				}
			}
			return
		}
		for i := range b.Records {
			rec := &b.Records[i]
			env.TimeNS, env.Hash, env.Kind = rec.TimeNS, rec.Hash, b.Kinds[i]
			next(rec.Value)
		}
	}
}

// aheadRecords is how many records a keyed step reads ahead in its state.
const aheadRecords = 32

// prefetcher makes the reading ahead, in the states of step, for records to come.
func prefetcher[T any](env *operators.Env, step string) func([]flow.Record[T]) {
	prefetch := env.Store.Prefetcher(step)
	if prefetch == nil {
		return func([]flow.Record[T]) {}
	}
	hashes := make([]uint64, aheadRecords)
	return func(some []flow.Record[T]) {
		for i := range some {
			hashes[i] = some[i].Hash
		}
		prefetch(hashes[:len(some)], nil)
	}
}

// writer is the producer's end of the lanes in tb's task.
func (r *reader[T]) writer(tb *taskBuild) func(T) {
	e := tb.d.edges[r].(*edge[T])
	env := tb.task.Env
	o := mailbox.NewOut(e.lanes[tb.task.Index], e.pool, tb.task.Attempt)
	tb.task.AddOutlet(o)
	switch r.ship {
	case plan.Hash:
		return r.keys(env, o, owners(tb.d.keyGroups, o.Lanes()))
	case plan.Round:
		at := tb.task.Index
		return func(v T) {
			if at++; at >= o.Lanes() {
				at = 0
			}
			o.AddKind(at, v, env.TimeNS, env.Hash, env.Kind)
		}
	case plan.All:
		return func(v T) {
			for i := range o.Lanes() {
				o.AddKind(i, v, env.TimeNS, env.Hash, env.Kind)
			}
		}
	default:
		to := tb.task.Index % o.Lanes()
		return func(v T) {
			if env.Kind == flow.Insert {
				o.Add(to, v, env.TimeNS, env.Hash)
			} else {
				o.AddKind(to, v, env.TimeNS, env.Hash, env.Kind)
			}
		}
	}
}

// owners is the consumer of each key group.
func owners(groups, consumers int) []uint16 {
	owner := make([]uint16, groups)
	for g := range owner {
		owner[g] = uint16(flow.TaskOf(flow.KeyGroup(g), groups, consumers))
	}
	return owner
}

// byKey sends a record to the owner of its key's group. It knows K, so that no call stands between the key and its hash.
func byKey[T any, K comparable](key func(T) K, hash func(K) uint64) scatterer[T] {
	return func(env *operators.Env, o *mailbox.Out[T], owner []uint16) func(T) {
		mask := uint64(len(owner) - 1)
		return func(v T) {
			h := hash(key(v))
			if to := int(owner[h&mask]); env.Kind == flow.Insert {
				o.Add(to, v, env.TimeNS, h)
			} else {
				o.AddKind(to, v, env.TimeNS, h, env.Kind)
			}
		}
	}
}

// typeName is a record type as its author wrote it, without package paths.
func typeName[T any]() string {
	n := reflect.TypeFor[T]().String()
	var b strings.Builder
	word := 0
	for i, c := range n {
		switch {
		case c == '/':
			word = i + 1
		case strings.ContainsRune("[]*,{} ;()", c):
			b.WriteString(n[word : i+1])
			word = i + 1
		}
	}
	b.WriteString(n[word:])
	return b.String()
}
