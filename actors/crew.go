package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// Cluster is where the tasks of a job run when they are not all of this process.
type Cluster struct {
	// Muster gives links to the workers of the next attempt: those of the last that still live, and new ones. It waits until there are enough.
	// The job closes them at its end.
	Muster func(ctx context.Context) ([]Link, error)
	// Place says which of the members runs each task of d, and what each member needs to build its own.
	Place func(d *Deployment, members []string) (at []int, specs [][]byte, err error)
}

// crew is the host of a job whose tasks run on workers. Its deployments hold stand-ins of the tasks: what the job does to one is sent
// to the worker that runs it.
type crew struct {
	*region
	j       *Job
	cluster *Cluster
	members []*member // deploy's, and behind it the loop's
	placed  atomic.Pointer[placed]
}

// placed is an attempt with the workers of its tasks.
type placed struct {
	*Deployment
	attempt flow.Attempt
	at      []*member // by the task's number
	all     []*member // that have a task
}

// member is a worker, as long as its link holds.
type member struct {
	Link
	answers chan *Envelope
	lost    chan struct{} // closed when the link has failed; err is set then
	err     error
	gone    bool // the loop's: it has heard of that
}

// Messages of a crew to itself.
type (
	memberLost struct{ m *member }
	came       struct {
		m *member
		e *Envelope
	}
)

func newCrew(j *Job, c *Cluster) *crew {
	w := &crew{j: j, cluster: c}
	w.region = newRegion(w, j.cfg.Name, j.cfg.StopTimeout)
	return w
}

// handle implements handler: it takes what comes from workers, and leaves all else to the job.
func (w *crew) handle(msg any) {
	switch m := msg.(type) {
	case memberLost:
		w.lose(m.m)
	case came:
		w.take(m.m, m.e)
	default:
		w.j.handle(msg)
	}
}

// hear tells what comes over a link, until it fails.
func (w *crew) hear(m *member) {
	for {
		e, err := m.Receive()
		if err != nil {
			m.err = fmt.Errorf("worker %q is lost: %w", m.Name(), err)
			close(m.lost)
			w.tell(memberLost{m})
			return
		}
		switch e.Kind {
		case MsgBuilt, MsgReady, MsgQuieted:
			m.answered(e)
		default:
			w.tell(came{m, e})
		}
	}
}

// answered keeps an answer for who waits for it. Those that nobody waits for any more make room.
func (m *member) answered(e *Envelope) {
	for {
		select {
		case m.answers <- e:
			return
		default:
		}
		select {
		case <-m.answers:
		default:
		}
	}
}

// lose ends the tasks that a lost worker had. Whether they still run there nobody knows: what they say is not heard, and what they write
// belongs to an attempt that has ended.
func (w *crew) lose(m *member) {
	m.gone = true
	m.Close(nil)
	p := w.placed.Load()
	if p == nil {
		return
	}
	for i, t := range p.Tasks {
		if p.at[i] == m && slices.Contains(w.j.alive, t) {
			w.j.handle(taskBroken{t, &farError{text: m.err.Error(), unreachable: true}})
			break
		}
	}
	for i, t := range p.Tasks {
		if p.at[i] == m {
			w.j.handle(terminated{t})
		}
	}
}

// take takes a report of a task that belongs to the attempt.
func (w *crew) take(m *member, e *Envelope) {
	p := w.placed.Load()
	if p == nil || e.Attempt != p.attempt || e.Task < 0 || e.Task >= len(p.Tasks) || p.at[e.Task] != m || m.gone {
		return
	}
	t := p.Tasks[e.Task]
	if e.Kind == MsgCounts {
		t.Stats.set(e.Counts)
		return
	}
	if r := e.report(t); r != nil {
		w.j.handle(r)
	}
}

func (w *crew) of(t *Task) *member { return w.placed.Load().at[t.number] }

// spawn implements host.
func (w *crew) spawn(t *Task) {
	if m := w.of(t); !m.gone {
		m.Send(&Envelope{Kind: MsgSpawn, Attempt: t.Attempt, Task: t.number})
		return
	}
	w.tell(taskBroken{t, &farError{text: w.of(t).err.Error(), unreachable: true}})
	w.tell(terminated{t})
}

// send implements host.
func (w *crew) send(t *Task, msg any) {
	if e, ok := controlMessage(t, msg); ok {
		w.of(t).Send(&e)
	}
}

// stop implements host.
func (w *crew) stop(t *Task) {
	t.cancel()
	w.of(t).Send(&Envelope{Kind: MsgStop, Attempt: t.Attempt, Task: t.number})
}

// quiet implements host. A worker that does not answer in time is given up: its attempt is over, whatever it does.
func (w *crew) quiet(d *Deployment, writes *inFlight) error {
	p := w.placed.Load()
	var waits sync.WaitGroup
	for _, m := range p.all {
		m.Send(&Envelope{Kind: MsgQuiet, Attempt: p.attempt})
		waits.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), w.stopTimeout)
			defer cancel()
			if _, err := m.answer(ctx, MsgQuieted, p.attempt); err != nil {
				m.Close(nil)
			}
		})
	}
	waits.Wait()
	return w.region.quiet(d, writes)
}

// end implements host.
func (w *crew) end(last func()) {
	for _, m := range w.members {
		m.Close(nil)
	}
	w.region.end(last)
}

// answer waits for a worker's answer of a kind.
func (m *member) answer(ctx context.Context, k EnvelopeKind, a flow.Attempt) (*Envelope, error) {
	for {
		select {
		case e := <-m.answers:
			if e.Kind != k || e.Attempt != a {
				continue // of before
			}
			if err := e.Failed.error(); err != nil {
				return nil, fmt.Errorf("worker %q: %w", m.Name(), err)
			}
			return e, nil
		case <-m.lost:
			return nil, &farError{text: m.err.Error(), unreachable: true}
		case <-ctx.Done():
			return nil, fmt.Errorf("worker %q does not answer: %w", m.Name(), context.Cause(ctx))
		}
	}
}

// muster finds the workers of the next attempt.
func (w *crew) muster(ctx context.Context) ([]*member, error) {
	links, err := w.cluster.Muster(ctx)
	if err != nil {
		return nil, fmt.Errorf("find workers: %w", err)
	}
	var now []*member
	for _, l := range links {
		i := slices.IndexFunc(w.members, func(m *member) bool { return m.Link == l })
		if i >= 0 {
			now = append(now, w.members[i])
			continue
		}
		m := &member{Link: l, answers: make(chan *Envelope, 8), lost: make(chan struct{})}
		now = append(now, m)
		w.goIO(func() { w.hear(m) })
	}
	for _, m := range w.members {
		if !slices.Contains(now, m) {
			m.Close(nil) // it is let go
		}
	}
	w.members = now
	return now, nil
}

// build lets the workers build the tasks that d stands for. flags say how sources and barriers are used.
func (w *crew) build(ctx context.Context, d *Deployment, a flow.Attempt) error {
	members, err := w.muster(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range members {
		names = append(names, m.Name())
	}
	at, specs, err := w.cluster.Place(d, names)
	if err != nil {
		return err
	}
	p := &placed{Deployment: d, attempt: a}
	for _, i := range at {
		p.at = append(p.at, members[i])
	}
	for i, m := range members {
		if slices.Contains(at, i) {
			p.all = append(p.all, m)
			m.Send(&Envelope{Kind: MsgBuild, Attempt: a, Data: specs[i], N: int64(w.j.cfg.Mode), Flags: flag(w.j.cfg.Log != nil, flagDurable)})
		}
	}
	w.placed.Store(p)
	d.assign = func(t *Task, splits []assigned) {
		p.at[t.number].Send(&Envelope{Kind: MsgAssign, Attempt: a, Task: t.number, Splits: splitStates(splits)})
	}
	return p.each(func(m *member) error {
		e, err := m.answer(ctx, MsgBuilt, a)
		if err != nil {
			return err
		}
		d.triggered = d.triggered || e.Flags&flagTriggers != 0
		for _, n := range e.Counts {
			if n < 0 || int(n) >= len(d.Tasks) {
				return fmt.Errorf("worker %q built task %d of %d", m.Name(), n, len(d.Tasks))
			}
			d.Tasks[n].committing = true
		}
		return nil
	})
}

// each calls f for all members and gives the first error.
func (p *placed) each(f func(*member) error) error {
	var errs []error
	for _, m := range p.all {
		errs = append(errs, f(m))
	}
	return errors.Join(errs...)
}

// restore hands the workers the blocks of an epoch, those of tables to the one that runs the owner, and does here what is done once for all tasks.
func (w *crew) restore(ctx context.Context, restored flow.Epoch, each func(func(delta.Block) error) error) (starts []delta.Block, err error) {
	p := w.placed.Load()
	r := p.restoring()
	if err := each(func(b delta.Block) error { return p.forward(ctx, b, r) }); err != nil {
		return nil, err
	}
	for _, m := range p.all {
		m.Send(&Envelope{Kind: MsgRestored, Attempt: p.attempt})
	}
	err = p.each(func(m *member) error {
		_, err := m.answer(ctx, MsgReady, p.attempt)
		return err
	})
	if err != nil {
		return nil, err
	}
	if starts, err = p.assignSplits(ctx, r.positions); err != nil {
		return nil, err
	}
	return starts, p.recover(ctx, restored, r.prepared)
}

// forward sends a block to who needs it.
func (p *placed) forward(ctx context.Context, b delta.Block, r restoring) error {
	if into, ok := r.positions[b.Operator]; ok && b.State == SplitsState {
		return decodePositions(b, into)
	}
	to := p.all
	switch b.State {
	case WaitingState, ChannelState, EmittedState, WatermarkState:
	case PreparedState:
		if err := r.prepared.take(b, preparedKeyBytes); err != nil {
			return err
		}
	default:
		if tasks := p.Stores[b.Operator]; len(tasks) > 0 {
			to = []*member{p.at[tasks[flow.TaskOf(b.Group, p.KeyGroups, len(tasks))].number]}
		}
	}
	for _, m := range to {
		m.Send(&Envelope{Kind: MsgBlocks, Attempt: p.attempt, Blocks: []delta.Block{b}})
		if err := m.Room(ctx); err != nil {
			return fmt.Errorf("worker %q: %w", m.Name(), err)
		}
	}
	return nil
}

// divide lets sources read in batches, from the start.
func (w *crew) divide() {
	p := w.placed.Load()
	for _, m := range p.all {
		m.Send(&Envelope{Kind: MsgDivide, Attempt: p.attempt})
	}
}
