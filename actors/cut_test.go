package actors

import (
	"testing"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// stepped is a task that the test turns by hand, with a table of its own and what it reports.
func stepped(t *testing.T) (task *Task, table *state.Table[int64, int64], reports *[]any) {
	t.Helper()
	task, table, reports = unsealed(t)
	begin(task)
	return task, table, reports
}

// begin fixes the inputs of a stepped task and starts it.
func begin(task *Task) {
	task.seal(barrier.ExactlyOnce, true)
	task.start()
}

// unsealed is a stepped task that can be given inputs.
func unsealed(t *testing.T) (task *Task, table *state.Table[int64, int64], reports *[]any) {
	t.Helper()
	c := new(state.Clock)
	task = NewTask(TaskConfig{
		Chain: "stepped", Count: 1, Attempt: 1, Clock: c, Now: clock,
		Store: state.NewStore(state.Options{Groups: flow.GroupRange{Hi: flow.DefaultKeyGroups}, Clock: c}),
	})
	table, err := state.NewTable[int64, int64](task.Env.Store, "stepped", "table")
	if err != nil {
		t.Fatal(err)
	}
	reports = new([]any)
	task.report = func(r any) { *reports = append(*reports, r) }
	return task, table, reports
}

func write(table *state.Table[int64, int64], from, to int64) {
	for k := from; k < to; k++ {
		*table.At(uint64(k)*0x9e3779b97f4a7c15, k) = k
	}
}

// entries counts the entries of the epochs' parts, which must come in order.
func entries(t *testing.T, reports []any) map[flow.Epoch]int {
	t.Helper()
	n, newest := map[flow.Epoch]int{}, flow.Epoch(0)
	for _, r := range reports {
		a, ok := r.(acked)
		if !ok {
			continue
		}
		if a.epoch <= newest {
			t.Fatalf("the part of epoch %d came behind that of %d", a.epoch, newest)
		}
		newest = a.epoch
		n[a.epoch] = 0
		for _, b := range a.blocks {
			n[a.epoch] += b.Count
		}
	}
	return n
}

// An idle task encodes its snapshot a piece per turn, parks at most a millisecond in between, and acknowledges once.
func TestAnIdleTaskFinishesItsSnapshot(t *testing.T) {
	task, table, reports := stepped(t)
	now := clock()
	task.Step(now) // the first turn sets the clock
	write(table, 0, 1000)
	task.control(trigger{barrier: flow.BarrierOf(1, flow.NoBatch)})
	turns := 0
	for ; len(*reports) == 0; turns++ {
		if turns > 1000 {
			t.Fatal("no part after 1000 turns")
		}
		worked, wake := task.Step(now)
		if !worked && len(*reports) == 0 && wake != now+encodeParkNSec {
			t.Fatalf("turn %d: wakes at %d, want %d", turns, wake, now+encodeParkNSec)
		}
	}
	if turns < 2 {
		t.Error("1000 entries were encoded in one turn")
	}
	if n := entries(t, *reports); n[1] != 1000 {
		t.Fatalf("parts %v, want 1000 entries in epoch 1", n)
	}
	if _, wake := task.Step(now); wake != never {
		t.Errorf("with nothing to do it wakes at %d", wake)
	}
}

// A cut that comes while the one before is being encoded finishes that first; nothing is lost and nothing comes twice.
func TestACutFinishesTheOneBefore(t *testing.T) {
	task, table, reports := stepped(t)
	write(table, 0, 500)
	task.control(trigger{barrier: flow.BarrierOf(1, flow.NoBatch)})
	write(table, 400, 700) // 100 of them frozen and not encoded yet
	task.control(trigger{barrier: flow.BarrierOf(2, flow.NoBatch)})
	for range 100 {
		task.Step(clock())
	}
	if n := entries(t, *reports); n[1] != 500 || n[2] != 300 {
		t.Fatalf("parts %v, want 500 entries in epoch 1 and 300 in 2", n)
	}
}

// An epoch in which nothing changed is acknowledged at once.
func TestAnEmptyCutIsAcknowledgedAtOnce(t *testing.T) {
	task, _, reports := stepped(t)
	task.control(trigger{barrier: flow.BarrierOf(1, flow.NoBatch)})
	if n, ok := entries(t, *reports)[1]; !ok || n != 0 {
		t.Fatalf("parts %v", *reports)
	}
}
