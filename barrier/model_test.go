package barrier_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
)

// Random jobs against a model that keeps only what an onlooker sees. It knows nothing of phases; it checks what matters:
// never two epochs in flight, none recorded without all its parts, none committed without its record, none abandoned
// without a cause, no end without a reason, and an end whenever nothing stands in its way.
func TestCoordinatorAgainstModel(t *testing.T) {
	for seed := range uint64(2000) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			m := newModel(t, rand.New(rand.NewPCG(seed, 2)))
			for range 50 + m.rnd.IntN(400) {
				m.step()
			}
			m.finish()
		})
	}
}

var errRandom = errors.New("bad luck")

// model is a job seen from outside: the tasks and the store on one side, what the coordinator asked for on the other.
type model struct {
	t   *testing.T
	rnd *rand.Rand
	c   *barrier.Coordinator
	cfg barrier.CoordinatorConfig
	now int64

	started, completed flow.Epoch
	inFlight           bool
	startedNS          int64
	recording          bool                  // a record is being written
	unaligned          flow.Epoch            // the newest that was to be cut ahead of its barriers
	pending            []map[flow.Epoch]bool // by task: epochs it has not answered for; answers come in any order
	failures           int
	cause              error // what entitles the coordinator to abandon the epoch in flight, besides the time-out

	ended           []bool
	allEnded        bool
	stopped         bool
	lastEnded, last bool // of the newest start
	over            bool

	asked, saves bool // a savepoint is wanted; the newest start is for it
}

func newModel(t *testing.T, rnd *rand.Rand) *model {
	cfg := barrier.CoordinatorConfig{
		Tasks: 1 + rnd.IntN(70), First: flow.Epoch(1 + rnd.IntN(3)), EveryNS: int64(rnd.IntN(3) * 50),
		TimeoutNS: int64(20 + rnd.IntN(500)), FailuresMax: 1 + rnd.IntN(5), UnalignAfterNS: int64(rnd.IntN(3) * 10),
	}
	if rnd.IntN(3) > 0 {
		cfg.Tasks = 1 + rnd.IntN(4)
	}
	m := &model{
		t: t, rnd: rnd, cfg: cfg, started: cfg.First - 1, completed: cfg.First - 1,
		pending: make([]map[flow.Epoch]bool, cfg.Tasks), ended: make([]bool, cfg.Tasks),
	}
	for i := range m.pending {
		m.pending[i] = map[flow.Epoch]bool{}
	}
	m.c = barrier.NewCoordinator(cfg, 0)
	return m
}

// step lets one random thing happen: mostly answers, sometimes a failure, seldom an end or a stop.
func (m *model) step() {
	m.now += int64(m.rnd.IntN(12))
	task := m.rnd.IntN(m.cfg.Tasks)
	switch dice := m.rnd.IntN(100); {
	case dice < 20:
		m.tick()
	case dice < 60:
		for range 1 + m.rnd.IntN(m.cfg.Tasks) {
			m.ack(m.rnd.IntN(m.cfg.Tasks))
		}
	case dice < 90:
		m.recorded(m.rnd.IntN(10) == 0)
	case dice < 98:
		m.end(task)
	case m.rnd.IntN(4) > 0:
		m.asked = true
		m.take(m.c.Savepoint(m.now))
	default:
		m.stopped = true
		m.take(m.c.Stop(m.now))
	}
}

// finish takes all obstacles away: every part arrives, every record succeeds. The job must then come to its end.
func (m *model) finish() {
	m.stopped = true
	m.take(m.c.Stop(m.now))
	for range 10 {
		for task := range m.cfg.Tasks {
			for len(m.pending[task]) > 0 && !m.over {
				m.ack(task)
			}
		}
		m.recorded(false)
	}
	if !m.over {
		m.t.Fatalf("not over with nothing in the way: started %d, completed %d", m.started, m.completed)
	}
	if do := m.c.Tick(m.now + 1<<40); len(do) > 0 {
		m.t.Fatalf("after the end: %v", do)
	}
}

func (m *model) tick() {
	m.take(m.c.Tick(m.now))
	if next := m.c.NextNS(); next <= m.now {
		m.t.Fatalf("ticked at %d, wants a tick at %d again", m.now, next)
	}
}

func (m *model) ack(task int) {
	if e := m.pick(task); e != 0 {
		m.take(m.c.Ack(task, e, m.now))
	}
}

// pick takes an epoch that the task has yet to answer for, 0 when there is none.
func (m *model) pick(task int) flow.Epoch {
	rest := slices.Sorted(maps.Keys(m.pending[task])) // a map's order would make the seed worthless
	if len(rest) == 0 || m.over {
		return 0
	}
	e := rest[m.rnd.IntN(len(rest))]
	delete(m.pending[task], e)
	return e
}

func (m *model) recorded(fails bool) {
	if !m.recording || m.over {
		return
	}
	m.recording = false
	if fails {
		m.cause = errRandom
		m.take(m.c.Recorded(m.started, errRandom, m.now))
		return
	}
	do := m.c.Recorded(m.started, nil, m.now)
	if len(do) == 0 || do[0].Kind != barrier.Commit || do[0].Epoch != m.started || do[0].Savepoint != m.saves {
		m.t.Fatalf("epoch %d has its record, got %v, want its commit first", m.started, do)
	}
	m.completed, m.inFlight, m.failures = m.started, false, 0
	m.asked = m.asked && !m.saves
	m.take(do[1:])
}

func (m *model) end(task int) {
	if m.ended[task] || m.over {
		return
	}
	m.ended[task], m.allEnded = true, true
	for _, e := range m.ended {
		m.allEnded = m.allEnded && e
	}
	m.take(m.c.Ended(task, m.now))
}

// take checks what the coordinator asks for and carries it out.
func (m *model) take(do []barrier.Do) {
	m.t.Helper()
	for _, d := range do {
		if m.over {
			m.t.Fatalf("%v after the end", d)
		}
		switch d.Kind {
		case barrier.Start:
			m.start(d)
		case barrier.Record:
			m.record(d)
		case barrier.Unalign:
			m.unalign(d)
		case barrier.Abandoned:
			m.abandoned(d)
		case barrier.Fail:
			m.fail(d)
		case barrier.Finish:
			m.finished(d)
		default:
			m.t.Fatalf("%v out of turn", d)
		}
	}
	if m.failures >= m.cfg.FailuresMax && !m.over {
		m.t.Fatalf("%d failures in a row of %d and goes on", m.failures, m.cfg.FailuresMax)
	}
	if want := m.stopped || m.allEnded || m.asked && m.failures == 0; want && !m.inFlight && !m.over {
		m.t.Fatalf("an epoch is wanted and none is in flight, after %v", do)
	}
}

func (m *model) start(d barrier.Do) {
	last := m.stopped || m.allEnded
	due := m.cfg.EveryNS > 0 && m.now >= m.startedNS+m.cfg.EveryNS
	if m.inFlight || d.Epoch != m.started+1 || d.Last != last || (!last && !due && (!m.asked || m.failures > 0)) {
		m.t.Fatalf("%v at %d: in flight %t, started %d at %d, want last %t", d, m.now, m.inFlight, m.started, m.startedNS, last)
	}
	for _, p := range m.pending {
		p[d.Epoch] = true
	}
	m.saves = m.asked
	m.started, m.startedNS, m.inFlight, m.last, m.lastEnded = d.Epoch, m.now, true, last, m.allEnded
}

// unalign comes once in an epoch, in its time.
func (m *model) unalign(d barrier.Do) {
	if !m.inFlight || m.recording || m.last || d.Epoch != m.started || m.unaligned == d.Epoch || m.cfg.UnalignAfterNS == 0 || m.now < m.startedNS+m.cfg.UnalignAfterNS {
		m.t.Fatalf("%v at %d: in flight %t, recording %t, last %t, started %d at %d, unaligned %d", d, m.now, m.inFlight, m.recording, m.last, m.started, m.startedNS, m.unaligned)
	}
	m.unaligned = d.Epoch
}

func (m *model) record(d barrier.Do) {
	for task, rest := range m.pending {
		if len(rest) > 0 {
			m.t.Fatalf("%v, but task %d has yet to answer for %v", d, task, rest)
		}
	}
	if !m.inFlight || m.recording || d.Epoch != m.started || d.From != m.completed+1 {
		m.t.Fatalf("%v: in flight %t, recording %t, started %d, completed %d", d, m.inFlight, m.recording, m.started, m.completed)
	}
	m.recording = true
}

func (m *model) abandoned(d barrier.Do) {
	late := !m.recording && m.now >= m.startedNS+m.cfg.TimeoutNS
	if !m.inFlight || d.Epoch != m.started || d.Err == nil || (m.cause == nil && !late) {
		m.t.Fatalf("%v at %d without cause: started %d at %d", d, m.now, m.started, m.startedNS)
	}
	m.inFlight, m.cause = false, nil
	m.failures++
}

func (m *model) fail(d barrier.Do) {
	lost := m.recording && m.now >= m.startedNS+m.cfg.TimeoutNS // a record that gives no answer
	if d.Err == nil || (m.failures < m.cfg.FailuresMax && !lost) {
		m.t.Fatalf("%v after %d failures of %d", d, m.failures, m.cfg.FailuresMax)
	}
	m.over = true
}

func (m *model) finished(d barrier.Do) {
	if m.inFlight || !m.last || m.completed != m.started || d.Epoch != m.completed || d.Ended != m.lastEnded {
		m.t.Fatalf("%v: in flight %t, last %t, started %d, completed %d", d, m.inFlight, m.last, m.started, m.completed)
	}
	m.over = true
}
