package actors

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
)

// WorkerConfig is what a worker runs tasks with.
type WorkerConfig struct {
	Link Link
	// Build makes the tasks of an attempt, not started; those of other workers are Away. spec is what Cluster.Place gave for this worker.
	Build       func(ctx context.Context, attempt flow.Attempt, spec []byte) (*Deployment, error)
	StopTimeout time.Duration // how long I/O goroutines of an ended attempt are waited for
}

// worker runs the tasks that a coordinator asks for, and tells what they report. It decides nothing. Its region's loop owns it.
type worker struct {
	*region
	cfg     WorkerConfig
	ctx     context.Context // ends with the link
	d       *Deployment     // nil: none is built
	attempt flow.Attempt
	r       restoring
	failed  error // of restoring
	alive   map[*Task]bool
	wanted  *Envelope // a build that waits for the end of the attempt before
	quieter bool      // the I/O of the attempt is being waited for
	asked   bool      // the coordinator wants to hear of its end
	over    error     // why the link has ended
	done    chan struct{}
	err     error // valid when done is closed
}

// Messages of a worker to itself.
type (
	linkEnded struct{ err error }
	built     struct {
		attempt flow.Attempt
		d       *Deployment
		err     error
	}
	quieted   struct{ stuck error }
	countsDue struct{ d *Deployment }
)

// countsEvery is how often a worker tells what its tasks have done.
const countsEvery = 100 * time.Millisecond

// Work runs the tasks that the coordinator at the other end of the link asks for, until the link ends; then all tasks have stopped, and
// the error says why it ended, or what of the tasks does not end. When ctx ends the link is closed.
func Work(ctx context.Context, cfg WorkerConfig) error {
	w := &worker{cfg: cfg, alive: map[*Task]bool{}, done: make(chan struct{})}
	var cancel context.CancelFunc
	w.ctx, cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	w.region = newRegion(w, "worker", cfg.StopTimeout)
	w.goIO(func() {
		for {
			e, err := cfg.Link.Receive()
			if err != nil {
				cancel()
				w.tell(linkEnded{err})
				return
			}
			w.tell(e)
		}
	})
	undo := context.AfterFunc(ctx, func() { cfg.Link.Close(nil) })
	defer undo()
	<-w.done
	return w.err
}

// handle implements handler.
func (w *worker) handle(msg any) {
	switch m := msg.(type) {
	case *Envelope:
		if w.over == nil {
			w.take(m)
		}
	case built:
		w.onBuilt(m)
	case taskBroken:
		w.broken(m)
	case terminated:
		w.ended(m.task)
	case quieted:
		w.onQuiet(m.stuck)
	case countsDue:
		w.count(m.d)
	case linkEnded:
		w.over = m.err
		w.clear()
	}
}

// take does what the coordinator asks for.
func (w *worker) take(e *Envelope) {
	if e.Kind == MsgBuild {
		w.wanted = e
		w.clear()
		return
	}
	if w.d == nil || e.Attempt != w.attempt {
		return // of an attempt that has ended
	}
	switch e.Kind {
	case MsgBlocks:
		w.guard(func() error {
			for _, b := range e.Blocks {
				if err := w.d.restoreBlock(b, w.r); err != nil {
					return err
				}
			}
			return nil
		})
	case MsgRestored:
		w.guard(func() error { return w.d.restoreRest(w.r) })
		w.d.forgetRecovered(w.r.prepared)
		w.r = restoring{}
		w.say(MsgReady, w.failed)
	case MsgDivide:
		for _, g := range w.d.Groups {
			for _, t := range g.Tasks {
				t.source.divide()
			}
		}
	case MsgQuiet:
		w.asked = true
		w.clear()
	default:
		if e.Task >= 0 && e.Task < len(w.d.Tasks) && !w.d.Tasks[e.Task].Away {
			w.toTask(w.d.Tasks[e.Task], e)
		}
	}
}

// toTask does what the coordinator asks of a task.
func (w *worker) toTask(t *Task, e *Envelope) {
	switch e.Kind {
	case MsgAssign:
		t.source.assign(assignedOf(e.Splits))
	case MsgSpawn:
		w.alive[t] = true
		t.report = func(msg any) { w.report(t, msg) }
		w.spawn(t)
	case MsgStop:
		if w.alive[t] {
			w.stop(t)
		} else {
			w.sayOf(t, MsgTerminated, nil)
		}
	default:
		if m := e.control(); m != nil && w.alive[t] {
			w.send(t, m)
		}
	}
}

// guard notes the first error of restoring, of users' functions too.
func (w *worker) guard(f func() error) {
	defer func() {
		if r := recover(); r != nil && w.failed == nil {
			w.failed = failureOf(r, debug.Stack())
		}
	}()
	if w.failed == nil {
		w.failed = f()
	}
}

// report sends what a task reports. A task calls it, or its I/O.
func (w *worker) report(t *Task, msg any) {
	e := reportMessage(t, msg)
	w.cfg.Link.Send(&e)
	if a, ok := msg.(acked); ok { // it is the coordinator's from now on
		t.Env.Store.Recycle(a.blocks)
	}
}

func (w *worker) say(k EnvelopeKind, err error) {
	w.cfg.Link.Send(&Envelope{Kind: k, Attempt: w.attempt, Failed: faultOf(err)})
}

func (w *worker) sayOf(t *Task, k EnvelopeKind, err error) {
	w.cfg.Link.Send(&Envelope{Kind: k, Attempt: t.Attempt, Task: t.number, Failed: faultOf(err)})
}

func (w *worker) broken(m taskBroken) {
	if m.task != nil {
		w.sayOf(m.task, MsgBroken, m.err)
	}
}

// clear ends what runs; then what is wanted is built.
func (w *worker) clear() {
	switch {
	case w.d == nil && w.quieter: // being built: onBuilt goes on
	case w.d == nil:
		w.next()
	case len(w.alive) > 0:
		for t := range w.alive {
			w.stop(t)
		}
	case !w.quieter:
		w.awaitIO()
	}
}

func (w *worker) ended(t *Task) {
	if !w.alive[t] {
		return
	}
	delete(w.alive, t)
	w.sayCounts(t)
	w.sayOf(t, MsgTerminated, nil)
	if len(w.alive) == 0 && (w.asked || w.wanted != nil || w.over != nil) {
		w.awaitIO()
	}
}

// awaitIO waits, off the loop, until no I/O of the attempt is left.
func (w *worker) awaitIO() {
	w.quieter = true
	d := w.d
	d.Discard() // what was never spawned
	w.goIO(func() { w.tell(quieted{w.quiet(d, new(inFlight))}) })
}

func (w *worker) onQuiet(stuck error) {
	w.quieter, w.d = false, nil
	if w.asked {
		w.asked = false
		w.say(MsgQuieted, stuck)
	}
	if stuck != nil {
		w.over = stuck
	}
	w.next()
}

// next builds what is wanted, or ends.
func (w *worker) next() {
	if w.over != nil {
		w.err = w.over
		w.cfg.Link.Close(w.err)
		w.end(func() { close(w.done) })
		return
	}
	e := w.wanted
	if w.wanted = nil; e == nil {
		return
	}
	w.quieter = true
	w.goIO(func() {
		d, err := w.build(e)
		w.tell(built{e.Attempt, d, err})
	})
}

func (w *worker) build(e *Envelope) (d *Deployment, err error) {
	defer func() { // of a user's function
		if r := recover(); r != nil {
			d, err = nil, fmt.Errorf("deploy: %w", failureOf(r, debug.Stack()))
		}
	}()
	if d, err = w.cfg.Build(w.ctx, e.Attempt, e.Data); err != nil {
		return nil, err
	}
	for i, t := range d.Tasks {
		t.number = i
		t.seal(barrier.Mode(e.N), e.Flags&flagDurable != 0)
	}
	return d, nil
}

func (w *worker) onBuilt(m built) {
	w.quieter, w.d, w.attempt, w.failed = false, m.d, m.attempt, nil
	if m.err != nil || w.wanted != nil || w.over != nil {
		if m.err != nil {
			w.say(MsgBuilt, m.err)
		}
		w.clear()
		return
	}
	w.r = m.d.restoring()
	e := &Envelope{Kind: MsgBuilt, Attempt: m.attempt, Flags: flag(m.d.triggers(), flagTriggers)}
	for _, t := range m.d.here() {
		if t.commits() {
			e.Counts = append(e.Counts, int64(t.number))
		}
	}
	w.cfg.Link.Send(e)
	w.after(countsEvery, countsDue{m.d})
}

// count tells what the tasks have done, while they are there.
func (w *worker) count(d *Deployment) {
	if w.d != d {
		return
	}
	for t := range w.alive {
		w.sayCounts(t)
	}
	w.after(countsEvery, countsDue{d})
}

func (w *worker) sayCounts(t *Task) {
	w.cfg.Link.Send(&Envelope{Kind: MsgCounts, Attempt: t.Attempt, Task: t.number, Counts: t.Stats.counts()})
}
