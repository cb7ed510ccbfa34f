package actors

import (
	"context"
	"iter"
	"runtime/debug"
	"slices"
	"time"
)

// parker is how I/O waits in a simulation: until ready says so or untilNS has come. false: the process has been killed, whoever
// waits must return at once.
type parker func(ready func() bool, untilNS int64) bool

// SteppedJob is a whole job, restarts and all, that runs nothing by itself: whoever simulates it takes each of its steps, in one
// goroutine. The job and its tasks are those of StartJob; only what carries messages, I/O and time is the caller's. The same steps at
// the same times give the same job.
type SteppedJob struct {
	*Job
	inbox   []any
	tasks   []*steppedTask
	io      []*stretch
	running *stretch // whose step is being taken
	timers  []*virtualTimer
	last    func() // runs when no I/O is left
	killed  bool
	pace    int
	started error
}

// Kind says what a step is of.
type Kind uint8

const (
	// Message: the job handles its oldest message.
	Message Kind = iota
	// Turn: a task handles its control messages and takes a turn.
	Turn
	// IO: I/O runs until it waits.
	IO
)

// Unit names what can take a step: a task by its number, or I/O by its place among all that is under way.
type Unit struct {
	Kind Kind
	N    int
}

// steppedTask is a task with what its goroutine would know.
type steppedTask struct {
	*Task
	failed   bool // and does nothing more before its end
	stopping bool
	asleep   bool  // until the bell, or
	wakeAtNS int64 // until then
}

// stretch is I/O that is under way: a coroutine, which waits where a goroutine would block.
type stretch struct {
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	ready   func() bool
	untilNS int64
}

// virtualTimer is a timer of the job.
type virtualTimer struct {
	atNS int64
	msg  any
	done bool
}

// Stop implements stopper.
func (t *virtualTimer) Stop() bool {
	first := !t.done
	t.done = true
	return first
}

// StepJob makes a job whose first I/O deploys its first attempt. cfg.Now is its only clock.
func StepJob(cfg JobConfig) *SteppedJob {
	s := &SteppedJob{Job: newJob(cfg)}
	s.host = s
	s.goIO(func() {
		var d *Deployment
		if d, s.started = s.deploy(context.Background()); s.started != nil {
			s.finish(Failed, s.started)
			return
		}
		s.tell(deployed{dep: d})
	})
	return s
}

// Runnable appends what can take a step at nowNS.
func (s *SteppedJob) Runnable(nowNS int64, units []Unit) []Unit {
	if s.killed {
		return units
	}
	s.ring(nowNS)
	if len(s.inbox) > 0 {
		units = append(units, Unit{Kind: Message})
	}
	for i, t := range s.tasks {
		if t.stopping || !t.failed && t.awake(nowNS) {
			units = append(units, Unit{Turn, i})
		}
	}
	for i, c := range s.io {
		if nowNS >= c.untilNS || c.ready == nil || c.ready() {
			units = append(units, Unit{IO, i})
		}
	}
	return units
}

// NextNS is when time alone makes something runnable, MaxInt64 for never.
func (s *SteppedJob) NextNS() int64 {
	next := int64(never)
	for _, t := range s.timers {
		if !t.done {
			next = min(next, t.atNS)
		}
	}
	for _, t := range s.tasks {
		if t.asleep && !t.failed {
			next = min(next, t.wakeAtNS)
		}
	}
	for _, c := range s.io {
		next = min(next, c.untilNS)
	}
	return next
}

// Take takes a step of what Runnable named.
func (s *SteppedJob) Take(u Unit, nowNS int64) {
	switch u.Kind {
	case Message:
		msg := s.inbox[0]
		s.inbox = s.inbox[1:]
		s.handle(msg)
	case Turn:
		s.turn(s.tasks[u.N], nowNS)
	case IO:
		s.resume(s.io[u.N])
	}
	if s.last != nil && len(s.io) == 0 {
		s.last()
		s.last = nil
	}
}

// ring tells what timers that are due say.
func (s *SteppedJob) ring(nowNS int64) {
	s.timers = slices.DeleteFunc(s.timers, func(t *virtualTimer) bool {
		if !t.done && nowNS >= t.atNS {
			t.done = true
			s.tell(t.msg)
		}
		return t.done
	})
}

// turn is what taskMailbox.turns does between two sleeps.
func (s *SteppedJob) turn(t *steppedTask, nowNS int64) {
	if t.stopping {
		s.tasks = slices.Delete(s.tasks, slices.Index(s.tasks, t), slices.Index(s.tasks, t)+1)
		if err := guarded(t.Task, t.stop); err != nil {
			s.tell(taskBroken{t.Task, err})
		}
		s.tell(terminated{t.Task})
		return
	}
	if t.asleep {
		t.asleep = false
		t.mb.bell.Rise()
	}
	defer func() {
		if r := recover(); r != nil {
			t.failed = true
			s.tell(taskBroken{t.Task, taskError(t.Task, failureOf(r, debug.Stack()))})
		}
	}()
	if !t.started {
		t.start()
	}
	for msg, _ := t.mb.next(); msg != nil; msg, _ = t.mb.next() {
		t.control(msg)
	}
	worked, wakeAtNS := t.Step(nowNS)
	if !worked && t.mb.bell.LieDown(t.mb.ready) {
		t.asleep, t.wakeAtNS = true, wakeAtNS
	}
}

// awake says whether the task's goroutine would run.
func (t *steppedTask) awake(nowNS int64) bool {
	return !t.asleep || nowNS >= t.wakeAtNS || t.mb.bell.Rung()
}

// resume runs I/O until it waits.
func (s *SteppedJob) resume(c *stretch) {
	before := s.running
	s.running = c
	_, more := c.next()
	s.running = before
	if !more {
		s.io = slices.DeleteFunc(s.io, func(o *stretch) bool { return o == c })
	}
}

// Park lets the I/O whose step is being taken wait: until ready says so (nil: it is) or untilNS has come. false: the process has been
// killed. Outside of I/O it does not wait.
func (s *SteppedJob) Park(ready func() bool, untilNS int64) bool {
	c := s.running
	if c == nil || s.killed {
		return !s.killed
	}
	c.ready, c.untilNS = ready, untilNS
	return c.yield(struct{}{}) && !s.killed
}

// Kill ends the process: what it holds in memory is lost. I/O that waits returns, and finds that it has been killed.
func (s *SteppedJob) Kill() {
	s.killed = true
	for _, t := range s.tasks {
		t.cancel()
	}
	for len(s.io) > 0 {
		s.resume(s.io[0])
	}
	for _, t := range s.tasks {
		_ = guarded(t.Task, t.stop) // what it holds is released; nobody hears what it says
	}
	s.tasks, s.inbox = nil, nil
}

// Pace bounds how many frozen entries a task encodes in a turn; 0: as many as always. Few make a small state take as long as a large one.
func (s *SteppedJob) Pace(n int) {
	s.pace = n
	for _, t := range s.tasks {
		t.pace = n
	}
}

// Over says whether the job has ended by itself.
func (s *SteppedJob) Over() bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// tell implements host.
func (s *SteppedJob) tell(msg any) {
	if s.last == nil && !s.killed {
		s.inbox = append(s.inbox, msg)
	}
}

// send implements host.
func (s *SteppedJob) send(t *Task, msg any) { t.post(msg) }

// spawn implements host.
func (s *SteppedJob) spawn(t *Task) {
	t.spawn, t.park, t.pace = s.goIO, s.Park, s.pace
	s.tasks = append(s.tasks, &steppedTask{Task: t})
}

// stop implements host.
func (s *SteppedJob) stop(t *Task) {
	for _, o := range s.tasks {
		if o.Task == t {
			o.stopping = true
		}
	}
}

// goIO implements host.
func (s *SteppedJob) goIO(f func()) {
	c := &stretch{untilNS: never}
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		f()
	})
	s.io = append(s.io, c)
}

// after implements host.
func (s *SteppedJob) after(d time.Duration, msg any) stopper {
	t := &virtualTimer{atNS: s.cfg.Now() + int64(d), msg: msg}
	s.timers = append(s.timers, t)
	return t
}

// quiet implements host.
func (s *SteppedJob) quiet(d *Deployment, writes *inFlight) error {
	s.Park(func() bool {
		return writes.none() && !slices.ContainsFunc(d.Tasks, func(t *Task) bool { return !t.io.none() })
	}, never)
	return nil
}

// end implements host.
func (s *SteppedJob) end(last func()) {
	s.inbox, s.timers, s.last = nil, nil, last
}
