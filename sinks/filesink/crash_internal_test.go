package filesink

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// epochRecord is what a model of the engine makes durable with an epoch.
type epochRecord struct {
	epoch     flow.Epoch
	position  int // so many of the input's numbers are covered
	prepared  []sinks.Prepared
	committed int // so many of prepared were, before the epoch
}

// model drives a sink as the engine does, over a disk that dies. The input is the numbers from 0 on; number i is task i's, modulo
// the tasks.
type model struct {
	t    *testing.T
	rng  *rand.Rand
	disk *memory
	sink *sink[string]
	what string

	attempt flow.Attempt
	tasks   int
	record  epochRecord
	seen    map[string]string // every file that a reader has seen
}

func newModel(t *testing.T, seed uint64) *model {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := &model{t: t, rng: rng, disk: newMemory(rng), seen: map[string]string{}}
	m.sink = newSink[string](Config{Dir: "dir", RollBytes: 12}.withDefaults(".txt"), textFormat{})
	m.sink.open = func(string) (disk, error) { return m.disk, nil }
	m.disk.watch = m.look
	return m
}

// look is a reader that lists the files after every change: they are whole, do not change, and hold each number once, none
// of an epoch that has no record.
func (m *model) look() {
	now := m.disk.final()
	where := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		text := now[name]
		if before, ok := m.seen[name]; ok && before != text {
			m.t.Fatalf("%s: file %s was %q and is %q", m.what, name, before, text)
		}
		m.seen[name] = text
		last := -1
		for line := range strings.Lines(text) {
			n, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
			if err != nil || !strings.HasSuffix(line, "\n") || n <= last {
				m.t.Fatalf("%s: file %s holds %q", m.what, name, text)
			}
			if n >= m.record.position {
				m.t.Fatalf("%s: file %s shows %d, but the newest record covers %d", m.what, name, n, m.record.position)
			}
			if other, twice := where[line]; twice {
				m.t.Fatalf("%s: %d is in file %s and in %s", m.what, n, other, name)
			}
			last, where[line] = n, name
		}
	}
}

func (m *model) at(task int) sinks.Instance {
	return sinks.Instance{Job: "job", Lineage: "lineage", Operator: "out", Task: task, Tasks: m.tasks, Attempt: m.attempt}
}

// run is one attempt: it restores, writes some epochs and stops, or dies.
func (m *model) run(epochs int) (err error) {
	m.attempt++
	m.tasks = 1 + m.rng.IntN(3)
	writers := make([]*writer[string], m.tasks)
	for i := range writers {
		w, err := m.sink.Open(m.t.Context(), m.at(i))
		if err != nil {
			return err
		}
		writers[i] = w.(*writer[string])
	}
	defer func() {
		for _, w := range writers {
			_ = w.Close() // also of a process that is dead: its calls fail
		}
	}()
	if err := m.sink.Recover(m.t.Context(), m.at(0), m.record.prepared); err != nil {
		return err
	}
	m.record.committed = len(m.record.prepared)
	a := &running{model: m, writers: writers, position: m.record.position, prepared: slices.Clone(m.record.prepared)}
	for e := range epochs {
		if err := a.epoch(m.record.epoch+1+flow.Epoch(a.abandoned), e == epochs-1); err != nil {
			return err
		}
	}
	return nil
}

// running is an attempt.
type running struct {
	*model
	writers   []*writer[string]
	position  int
	prepared  []sinks.Prepared
	abandoned int
}

// epoch writes, prepares, records and commits. The last one ends a batch, is recorded and committed.
func (a *running) epoch(e flow.Epoch, last bool) error {
	for range a.rng.IntN(12) {
		w := a.writers[a.position%a.tasks]
		b := &flow.Batch[string]{Records: []flow.Record[string]{{Value: strconv.Itoa(a.position)}}}
		if err := w.Write(a.t.Context(), b); err != nil {
			return err
		}
		a.position++
	}
	ends := last || a.rng.IntN(3) == 0
	for i, w := range a.writers {
		if ends {
			if err := w.EndBatch(a.t.Context(), 0); err != nil {
				return err
			}
		}
		token, err := w.Prepare(a.t.Context(), e)
		if err != nil {
			return err
		}
		if token != nil {
			a.prepared = append(a.prepared, sinks.Prepared{Attempt: a.attempt, Epoch: e, Task: i, Token: token})
		}
	}
	if !last && a.rng.IntN(5) == 0 { // abandoned: the next record takes its tokens
		a.abandoned++
		return nil
	}
	drop := a.record.committed
	if a.rng.IntN(2) == 0 { // some stay longer than they must
		drop = a.rng.IntN(drop + 1)
	}
	a.prepared = a.prepared[drop:]
	a.record = epochRecord{epoch: e, position: a.position, prepared: slices.Clone(a.prepared), committed: a.record.committed - drop}
	a.abandoned = 0
	if !last && a.rng.IntN(3) == 0 { // later
		return nil
	}
	return a.commit()
}

// commit follows a record, whether its epoch ends a batch or not.
func (a *running) commit() error {
	for i, w := range a.writers {
		var tokens [][]byte
		for _, p := range a.prepared[a.record.committed:] {
			if p.Task == i {
				tokens = append(tokens, p.Token)
			}
		}
		if err := w.Commit(a.t.Context(), tokens); err != nil {
			return err
		}
	}
	a.record.committed = len(a.prepared)
	return nil
}

// whole checks that exactly what the newest record covers can be read, and that no older attempt has left anything.
func (m *model) whole() {
	m.t.Helper()
	m.look()
	n := 0
	for _, text := range m.disk.final() {
		n += strings.Count(text, "\n")
	}
	if n != m.record.position {
		m.t.Fatalf("%s: %d records can be read, want %d: %q", m.what, n, m.record.position, m.disk.final())
	}
	if left := m.disk.hidden(); len(left) > 0 {
		m.t.Fatalf("%s: files are left: %q", m.what, left)
	}
}

// crashes are what may be left of the disk.
var crashes = []struct {
	name string
	do   func(m *memory)
}{
	{"kill", func(*memory) {}},
	{"refused", func(*memory) {}}, // the process goes on, and must notice
	{"power cut", func(m *memory) { m.powerCut(func() bool { return false }) }},
	{"power cut, some changes kept", func(m *memory) { m.powerCut(func() bool { return m.rng.IntN(2) == 0 }) }},
}

// A process that dies before any system call of an attempt, and again before any of the recovery from that, loses nothing and
// repeats nothing.
func TestCrashBeforeEveryCall(t *testing.T) {
	first, points := rand.Uint64(), 0
	for seed := first; seed < first+2; seed++ {
		calls := newModel(t, seed).calls()
		for _, crash := range crashes {
			for i := 1; i <= calls; i++ {
				for j, died := 1, true; died; j++ {
					m := newModel(t, seed)
					m.disk.once = crash.name == "refused"
					m.what = fmt.Sprintf("seed %d, %s at call %d, then at call %d", seed, crash.name, i, j)
					died = m.twice(crash.do, i, j)
					points++
				}
			}
		}
	}
	if points < 1000 {
		t.Errorf("seed %d: only %d points", first, points)
	}
}

// calls counts the system calls of an attempt that does not die.
func (m *model) calls() int {
	if err := m.run(5); err != nil {
		m.t.Fatal(err)
	}
	m.whole()
	return m.disk.calls
}

// twice dies at call i, and the next attempt at call j of its recovery, if it has so many.
func (m *model) twice(crash func(*memory), i, j int) (again bool) {
	if !m.die(crash, i, 5) {
		m.t.Fatalf("%s: survived the first", m.what)
	}
	again = m.die(crash, j, 0)
	m.disk.crashAt = 0
	for _, epochs := range []int{0, 2} {
		if err := m.run(epochs); err != nil {
			m.t.Fatalf("%s: %v", m.what, err)
		}
		m.whole()
	}
	return again
}

// die runs an attempt that dies at a call, or does not come that far.
func (m *model) die(crash func(*memory), call, epochs int) bool {
	m.disk.calls, m.disk.crashAt = 0, call
	err := m.run(epochs)
	if err != nil && !errors.Is(err, errCrash) {
		m.t.Fatalf("%s: %v", m.what, err)
	}
	if err == nil {
		return false
	}
	crash(m.disk)
	return true
}

// After a refused sync the pages may be gone although a second sync succeeds: nothing is prepared any more.
func TestRefusedSyncIsFinal(t *testing.T) {
	m := newModel(t, 1)
	m.attempt, m.tasks = 1, 1
	opened, err := m.sink.Open(t.Context(), m.at(0))
	if err != nil {
		t.Fatal(err)
	}
	w := opened.(*writer[string])
	b := &flow.Batch[string]{Records: []flow.Record[string]{{Value: "1"}}}
	if err := w.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	m.disk.once, m.disk.crashAt = true, m.disk.calls+2 // behind the write
	for what, do := range map[string]func() error{
		"prepare":       func() error { _, err := w.Prepare(t.Context(), 1); return err },
		"prepare again": func() error { _, err := w.Prepare(t.Context(), 2); return err },
		"write":         func() error { return w.Write(t.Context(), b) },
		"flush":         func() error { return w.Flush(t.Context()) },
		"commit":        func() error { return w.Commit(t.Context(), nil) },
	} {
		if _, err := w.Prepare(t.Context(), 1); !errors.Is(err, errCrash) {
			t.Fatalf("before %s: got %v, want the refusal", what, err)
		}
		if err := do(); !errors.Is(err, errCrash) {
			t.Errorf("%s: got %v, want the refusal", what, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if left := m.disk.hidden(); len(left) > 0 {
		t.Errorf("files in no token are left: %q", left)
	}
}
