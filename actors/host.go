package actors

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// host is what a job stands on: who hands it its messages, runs its tasks and I/O, and knows the time. Everything that a job
// decides is in Job; a host decides nothing.
type host interface {
	tell(msg any)                                // hands the job a message, from any goroutine; those of one sender stay in order
	send(t *Task, msg any)                       // hands a task a control message
	spawn(t *Task)                               // starts a task. Its failure is told as taskBroken; it does nothing more before stop
	stop(t *Task)                                // ends a task after what it is at; terminated is told
	goIO(f func())                               // runs f where it may wait
	after(d time.Duration, msg any) stopper      // tells msg when d has passed
	quiet(d *Deployment, writes *inFlight) error // waits for the I/O of d's tasks and for writes; the error says what does not end
	end(last func())                             // hands the job no more messages, and calls last when all I/O has ended
}

// stopper is a timer. Stop says whether it came before the timer.
type stopper interface{ Stop() bool }

// inFlight counts what is under way.
type inFlight struct {
	group sync.WaitGroup
	count atomic.Int64
}

func (t *inFlight) begin()     { t.group.Add(1); t.count.Add(1) }
func (t *inFlight) end()       { t.count.Add(-1); t.group.Done() }
func (t *inFlight) Wait()      { t.group.Wait() }
func (t *inFlight) none() bool { return t.count.Load() == 0 }

// handler takes what the host hands it, one message after the other.
type handler interface{ handle(msg any) }

// region is the host of what runs in this process: one actor, which hands messages on, and is parent and supervisor of one actor per task.
type region struct {
	h           handler
	name        string
	stopTimeout time.Duration
	pid         *actor.PID
	io          sync.WaitGroup
	c           actor.Context    // of the message in hand
	tasks       map[string]*Task // by PID
}

func newRegion(h handler, name string, stopTimeout time.Duration) *region {
	a := &region{h: h, name: name, stopTimeout: stopTimeout, tasks: map[string]*Task{}}
	a.pid = system().Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return a }, actor.WithSupervisor(supervisor{a})))
	return a
}

// Receive implements actor.Actor.
func (a *region) Receive(c actor.Context) {
	a.c = c
	m, ok := c.Message().(*actor.Terminated)
	if !ok {
		a.h.handle(c.Message())
		return
	}
	if t := a.tasks[m.Who.Id]; t != nil {
		delete(a.tasks, m.Who.Id)
		a.h.handle(terminated{t})
	}
}

func (a *region) tell(msg any)          { system().Root.Send(a.pid, msg) }
func (a *region) send(t *Task, msg any) { system().Root.Send(t.PID(), msg) }
func (a *region) stop(t *Task)          { system().Root.Stop(t.PID()) }

func (a *region) spawn(t *Task) {
	props := actor.PropsFromProducer(func() actor.Actor { return t }, actor.WithMailbox(func() actor.Mailbox { return t.mb }))
	pid := a.c.SpawnPrefix(props, fmt.Sprintf("%s/%s/%d", a.name, t.Chain, t.Index))
	t.pid.Store(pid)
	a.tasks[pid.Id] = t
}

func (a *region) goIO(f func()) {
	a.io.Add(1)
	go func() {
		defer a.io.Done()
		f()
	}()
}

func (a *region) after(d time.Duration, msg any) stopper {
	return time.AfterFunc(d, func() { a.tell(msg) })
}

func (a *region) quiet(d *Deployment, writes *inFlight) error {
	stuck := d.awaitIO(a.stopTimeout)
	writes.Wait()
	return stuck
}

func (a *region) end(last func()) {
	system().Root.Stop(a.pid)
	go func() {
		a.io.Wait()
		last()
	}()
}

// supervisor is the strategy for a region's tasks: never restart one in place. Protoactor would lose the message that failed
// and start with empty state; here the whole region is stopped and restored. It runs on the region's goroutine; the
// failed task stays suspended meanwhile.
type supervisor struct{ a *region }

// HandleFailure implements actor.SupervisorStrategy.
func (s supervisor) HandleFailure(_ *actor.ActorSystem, _ actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	err, ok := reason.(error)
	if !ok {
		err = fmt.Errorf("%v", reason)
	}
	if t := s.a.tasks[child.Id]; t != nil {
		s.a.h.handle(taskBroken{t, taskError(t, err)})
		return
	}
	s.a.h.handle(taskBroken{nil, err})
}
