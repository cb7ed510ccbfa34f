package actors

import (
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/millrace-io/millrace/mailbox"
)

// taskMailbox is the protoactor mailbox of one task. Its run loop is the task's loop: one goroutine from Start to
// Stopped, on which every message, batch and timer of the task is handled.
//
// Control (system messages first, then user messages) has a queue of its own and goes before data; it costs the record
// path one atomic load a turn. Data lies in the lanes.
type taskMailbox struct {
	task *Task
	bell *mailbox.Bell

	mu      sync.Mutex
	system  []any
	user    []any
	pending atomic.Int32 // messages in both queues

	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher
	scheduled  atomic.Bool

	// The loop's own:
	suspended bool // a failure was escalated: nothing but system messages is handled
	current   any  // what is being handled, for the failure report
}

func newTaskMailbox(t *Task) *taskMailbox { return &taskMailbox{task: t, bell: mailbox.NewBell()} }

// PostUserMessage queues engine control and whatever was sent to the task's PID. Any goroutine calls it.
func (m *taskMailbox) PostUserMessage(msg any) { m.post(&m.user, msg) }

// PostSystemMessage queues protoactor's life-cycle messages. Any goroutine calls it.
func (m *taskMailbox) PostSystemMessage(msg any) { m.post(&m.system, msg) }

func (m *taskMailbox) post(q *[]any, msg any) {
	m.mu.Lock()
	*q = append(*q, msg)
	m.mu.Unlock()
	m.pending.Add(1)
	m.bell.Ring()
}

// UserMessageCount implements actor.Mailbox.
func (m *taskMailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.user)
}

// RegisterHandlers implements actor.Mailbox. A message can be posted before it: post needs neither handler.
func (m *taskMailbox) RegisterHandlers(i actor.MessageInvoker, d actor.Dispatcher) {
	m.invoker, m.dispatcher = i, d
}

// Start begins the loop. Not earlier: a name clash in Spawn discards a mailbox that was never started.
func (m *taskMailbox) Start() {
	if m.scheduled.CompareAndSwap(false, true) {
		m.dispatcher.Schedule(m.run)
	}
}

// run turns until the task has stopped. A panic is escalated to the supervisor, which suspends this mailbox; the loop
// goes on to hear what the supervisor decides.
func (m *taskMailbox) run() {
	for !m.turns() {
	}
}

func (m *taskMailbox) turns() (stopped bool) {
	defer func() {
		if r := recover(); r != nil {
			m.suspended = true
			m.invoker.EscalateFailure(failureOf(r, debug.Stack()), m.current)
			stopped = false
		}
	}()
	t := m.task
	for {
		if m.pending.Load() != 0 {
			m.control()
		}
		if t.stopped {
			return true
		}
		if m.suspended || !t.started {
			m.bell.Sleep(-1, m.hasControl)
			continue
		}
		worked, wakeAtNS := t.Step(t.now())
		if !worked {
			m.bell.Sleep(until(wakeAtNS, t.now()), m.ready)
		}
	}
}

// until is how long to sleep: at least a microsecond when the time has passed meanwhile, negative for no limit.
func until(wakeAtNS, nowNS int64) time.Duration {
	if wakeAtNS == math.MaxInt64 {
		return -1
	}
	return max(time.Duration(wakeAtNS-nowNS), time.Microsecond)
}

// control handles the queued messages: life cycle first, user messages unless suspended.
func (m *taskMailbox) control() {
	for {
		msg, isSystem := m.next()
		if msg == nil {
			return
		}
		m.current = msg
		if !isSystem {
			m.invoker.InvokeUserMessage(msg)
			continue
		}
		switch msg.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			m.invoker.InvokeSystemMessage(msg)
		}
	}
}

func (m *taskMailbox) next() (msg any, isSystem bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := &m.system
	if isSystem = len(m.system) > 0; !isSystem {
		if m.suspended || len(m.user) == 0 {
			return nil, false
		}
		q = &m.user
	}
	msg = (*q)[0]
	(*q)[0] = nil
	if *q = (*q)[1:]; len(*q) == 0 {
		*q = nil
	}
	m.pending.Add(-1)
	return msg, isSystem
}

// hasControl is the look before a sleep in which only control matters. A suspended mailbox keeps its user messages.
func (m *taskMailbox) hasControl() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.system) > 0 || !m.suspended && len(m.user) > 0
}

// ready is the look before a sleep between two turns.
func (m *taskMailbox) ready() bool { return m.pending.Load() != 0 || m.task.waiting() }
