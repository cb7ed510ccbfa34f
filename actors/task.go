package actors

import (
	"context"
	"io"
	"math"
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
	Away      bool // another process runs it; here it stands for that one
	Env       *operators.Env
	Stats     *Stats

	number int // among all tasks of the attempt
	// committing: of a task that is Away, whether one of its sinks publishes when an epoch is complete.
	committing bool
	pid        atomic.Pointer[actor.PID]
	mb         *taskMailbox
	now        func() int64 // Unix nanoseconds, read once a turn
	report     func(any)    // to the job
	inputs     []mailbox.Input
	next       int // round robin over inputs
	outs       []mailbox.Outlet
	sinks      []sink
	source     source
	aligner    *barrier.Aligner
	marks      *mailbox.Watermarks
	deliver    func(mailbox.Input) // through the actor's Receive, or directly when stepped by a simulation

	channel      channel     // what is on its way to the task
	durable      bool        // epochs are snapshots; else they only drain
	cuts         []cut       // epochs frozen and not yet acknowledged, oldest first
	barriers     []flow.Mark // that have arrived on all inputs and are not cut yet, oldest first: their batches are being ended
	triggered    int         // operators that have emitted what they had for the first of them
	blocked      bool        // an outlet refused: no input is taken
	wmPending    bool        // the watermark or idleness changed and waits for the timers that it made due
	idle         bool        // no input holds the watermark back
	starters     int         // operators that have done what comes before the first input
	open         int         // inputs that operators kept when the watermark was last forwarded
	finals       int         // operators that have emitted what they had at the end
	exhausted    bool        // all input has been taken
	emitting     bool        // last records are being emitted: no input is taken, so no barrier divides them
	endSent      bool
	emittedCut   bool  // a cut has said so
	reopened     bool  // records came although last rows had been emitted before a restore
	finishing    int   // sinks whose Finish is awaited
	publishNS    int64 // when Stats are due
	alignSinceNS int64 // when the first lane was masked for the epoch to come, 0 when none is
	records      int   // taken from the input in this turn
	started      bool
	stopped      bool

	tickedNS       int64               // when the watermark last followed the engine's clock
	cutWatermarkNS int64               // as of the last cut
	watermarkCut   bool                // a cut of this attempt has said so
	cutWaiting     []int               // by operator that keeps inputs: how many the last cut held
	staleWaiting   map[string][][]byte // by operator: keys of restored inputs, to be removed from the snapshot
	telling        []flow.Epoch        // the job wants to hear when their output is public
	recovered      []*output           // published at the start: to be removed from the snapshot
	stale          []int               // watermarks of tasks that are no more, to be removed from the snapshot

	spawn   func(f func())   // starts an I/O goroutine
	park    parker           // how it waits, in a simulation; nil: it blocks
	pace    int              // the most frozen entries encoded at once, in a simulation; 0: as many as it says
	stepped bool             // Stepped takes the task's turns: it opens pollers itself
	onCut   func(flow.Epoch) // for Stepped; nil: nobody asks
	opened  []io.Closer      // pollers that it opened
	pumps   []ownIO          // not started yet

	ctx    context.Context // ends with the attempt
	cancel context.CancelFunc
	io     inFlight
}

// cut is an epoch this task has frozen.
type cut struct {
	epoch   flow.Epoch
	blocks  []delta.Block
	encoded bool
	sinks   int // sinks that have not flushed up to it
	// recording says that what is on its way to the task is still being recorded: it was cut ahead of barriers.
	recording bool
	alignNS   int64 // how long lanes were masked for it
}

// Stats is what a task has done, readable from any goroutine, also when the task has ended. Records read and written and
// blocked turns are counted as they happen; the others are up to 100 ms old while the task works, and exact at its end.
type Stats struct {
	RecordsIn, RecordsOut, Filtered, DeadLetters atomic.Int64
	Late                                         atomic.Int64
	StateEntries, StateBytes                     atomic.Int64
	BlockedTurns                                 atomic.Int64
	// CutsAhead counts epochs cut ahead of barriers, ChannelRecords the records on their way that these hold.
	CutsAhead, ChannelRecords atomic.Int64
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
		Stats: new(Stats), report: func(any) {}, spawn: func(f func()) { go f() }, staleWaiting: map[string][][]byte{},
	}
	t.Env.Executor = executor{t}
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
	t.marks = mailbox.NewWatermarks(len(t.inputs)) // a source adds its splits
	t.Env.Clock.WatermarkNS, t.cutWatermarkNS, t.Env.ForwardedNS = flow.NoWatermarkNS, flow.NoWatermarkNS, flow.NoWatermarkNS
}

// Receive implements actor.Actor. The message of a data batch is its input, so nothing is boxed.
func (t *Task) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case mailbox.Input:
		t.took(m)
	case *actor.Started:
		t.pid.Store(c.Self()) // whoever sees the task's work finds it, although Spawn may not have returned yet
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
	t.startIO()
	if t.source != nil {
		t.source.start()
	}
	for _, s := range t.sinks {
		s.start()
	}
	for _, w := range t.Env.Waiting {
		w.Resume()
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
	for i := range t.channel.edges {
		t.channel.edges[i].Replay.Discard()
	}
	t.closeOpened()
	t.closeIO()
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
		t.arrived(m.barrier)
	case unalign:
		t.unalign(m)
	case planBatch:
		t.source.planBatch(m)
	case readBatch:
		t.source.readBatch(m)
	case flowOn:
		t.source.flow()
	case addSplits:
		t.source.add(m.splits)
	case sinkFlushed:
		t.flushed(m)
	case completed:
		t.completed(m.epoch)
		if m.tell {
			t.telling = append(t.telling, m.epoch)
			t.published()
		}
	case sinkCommitted:
		m.sink.output().committed()
		t.published()
		m.sink.advance()
	case finish:
		t.finishSinks(m.ended)
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

// post hands the loop a control message; for the task's own I/O goroutines. A task that is Away has I/O only for what the job does once for all tasks of
// an operator, and no loop.
func (t *Task) post(msg any) {
	if f, ok := msg.(failed); ok && t.Away {
		t.report(taskBroken{t, taskError(t, f.err)})
		return
	}
	t.mb.PostUserMessage(msg)
}

// waiting says whether a turn would find work: the look before a sleep.
func (t *Task) waiting() bool {
	if t.stashable() {
		return true
	}
	if t.blocked {
		for _, o := range t.outs {
			if o.Room() {
				return true
			}
		}
		return false
	}
	if t.Env.Full() || len(t.barriers) > 0 && t.Env.Open() > 0 { // whoever gives the answer it waits for posts it
		return false
	}
	if t.replay() != nil || t.source != nil && t.source.waiting() {
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
