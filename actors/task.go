package actors

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/state"
)

// Task is one parallel copy of a chain of operators: one actor, one goroutine, single-threaded. Its fields have no lock
// because only its loop touches them; Stats is what others see.
type Task struct {
	Chain     string   // id of the chain's head operator
	Operators []string // of the chain, in order
	Keyed     bool     // one of them owns key groups
	Index     int      // which parallel copy
	Count     int      // of how many
	Attempt   flow.Attempt
	Env       *operators.Env
	Stats     *Stats

	number  int // among all tasks of the attempt
	pid     atomic.Pointer[actor.PID]
	mb      *taskMailbox
	now     func() int64 // Unix nanoseconds, read once a turn
	report  func(any)    // to the job
	inputs  []mailbox.Input
	next    int // round robin over inputs
	outs    []mailbox.Outlet
	sinks   []sink
	source  source
	aligner *barrier.Aligner
	marks   *mailbox.Watermarks
	deliver func(mailbox.Input) // through the actor's Receive, or directly when stepped by a simulation

	durable   bool  // epochs are snapshots; else they only drain
	cuts      []cut // epochs frozen and not yet acknowledged, oldest first
	blocked   bool  // an outlet refused: no input is taken
	wmPending bool  // the combined watermark moved and waits for the timers it made due
	finals    int   // operators that have emitted what they had at the end
	exhausted bool  // all input has been taken
	endSent   bool
	finishing int   // sinks whose Finish is awaited
	publishNS int64 // when Stats are due
	records   int   // taken from the input in this turn
	started   bool
	stopped   bool

	ctx    context.Context // ends with the attempt
	cancel context.CancelFunc
	io     sync.WaitGroup
}

// cut is an epoch this task has frozen.
type cut struct {
	epoch   flow.Epoch
	blocks  []delta.Block
	encoded bool
	sinks   int // sinks that have not flushed up to it
}

// Stats is what a task has done, readable from any goroutine, also when the task has ended. Records read and written and
// blocked turns are counted as they happen; the others are up to 100 ms old while the task works, and exact at its end.
type Stats struct {
	RecordsIn, RecordsOut, Filtered, DeadLetters atomic.Int64
	StateEntries, StateBytes                     atomic.Int64
	BlockedTurns                                 atomic.Int64
}

// TaskConfig is what a task is made from.
type TaskConfig struct {
	Chain        string
	Operators    []string // of the chain; nil: Chain alone
	Keyed        bool
	Index, Count int
	Attempt      flow.Attempt
	Store        *state.Store
	Clock        *state.Clock
	Now          func() int64
}

// NewTask makes a task without inputs and outlets; the deployment adds them before the task is spawned.
func NewTask(c TaskConfig) *Task {
	if c.Operators == nil {
		c.Operators = []string{c.Chain}
	}
	t := &Task{
		Chain: c.Chain, Operators: c.Operators, Keyed: c.Keyed, Index: c.Index, Count: c.Count, Attempt: c.Attempt, now: c.Now,
		Env:   &operators.Env{Clock: c.Clock, Store: c.Store, Task: c.Index, Tasks: c.Count},
		Stats: new(Stats), report: func(any) {},
	}
	t.mb = newTaskMailbox(t)
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.deliver = func(in mailbox.Input) { t.took(in) }
	return t
}

// PID is the task's actor: Stop, Poison and Watch go through it. Nil before the task was spawned.
func (t *Task) PID() *actor.PID { return t.pid.Load() }

// Bell wakes the task's loop.
func (t *Task) Bell() *mailbox.Bell { return t.mb.bell }

// AddInput gives the task a lane to read. Lanes are aligned in the order they are added.
func (t *Task) AddInput(in mailbox.Input) { t.inputs = append(t.inputs, in) }

// AddOutlet gives the task an edge to write.
func (t *Task) AddOutlet(o mailbox.Outlet) { t.outs = append(t.outs, o) }

// seal fixes the inputs, before the task runs. durable says that epochs are recorded; else barriers only drain.
func (t *Task) seal(mode barrier.Mode, durable bool) {
	t.durable = durable
	t.aligner = barrier.NewAligner(len(t.inputs), mode)
	t.marks = mailbox.NewWatermarks(max(len(t.inputs), 1))
	t.Env.Clock.WatermarkNS = flow.NoWatermarkNS
}

// Receive implements actor.Actor. The message of a data batch is its input, so nothing is boxed.
func (t *Task) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case mailbox.Input:
		t.took(m)
	case *actor.Started:
		t.deliver = func(in mailbox.Input) { t.mb.invoker.InvokeUserMessage(in) }
		t.start()
	case *actor.Stopped:
		t.stop()
	default:
		t.control(m)
	}
}

func (t *Task) start() {
	t.started = true
	if t.source != nil {
		t.source.start()
	}
	for _, s := range t.sinks {
		s.start()
	}
}

// stop ends the I/O goroutines, drops what waits in the lanes and closes the writers. The last thing the loop does.
func (t *Task) stop() {
	if t.stopped {
		return
	}
	t.stopped = true
	t.count()
	t.cancel()
	for _, in := range t.inputs {
		in.Discard()
	}
	for _, s := range t.sinks {
		s.close()
	}
}

// control handles what the job or an I/O goroutine asks for.
func (t *Task) control(msg any) {
	switch m := msg.(type) {
	case trigger:
		if m.last {
			t.source.pause()
		}
		t.cut(m.epoch)
	case addSplits:
		t.source.add(m.splits)
	case sinkFlushed:
		t.flushed(m.epoch)
	case finish:
		t.finishSinks()
	case sinkFinished:
		if t.finishing--; t.finishing == 0 {
			t.report(taskFinished{t.number})
		}
	case failed:
		panic(failure(m))
	case recycle:
		t.Env.Store.Recycle(m.blocks)
	case do:
		m()
	}
}

// post hands the loop a control message; for the task's own I/O goroutines.
func (t *Task) post(msg any) { t.mb.PostUserMessage(msg) }

// waiting says whether a turn would find work: the look before a sleep.
func (t *Task) waiting() bool {
	if t.blocked {
		for _, o := range t.outs {
			if o.Room() {
				return true
			}
		}
		return false
	}
	if t.source != nil && t.source.waiting() {
		return true
	}
	for _, in := range t.inputs {
		if in.Waiting() {
			return true
		}
	}
	return false
}

// never is a time that does not come.
const never = math.MaxInt64
