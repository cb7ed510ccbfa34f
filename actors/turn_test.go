package actors

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/state"
)

// busyTimers always has more that is due than a turn may fire, for so many turns.
type busyTimers struct{ turns, fired int }

func (b *busyTimers) Fire(limit int) int {
	if b.turns == 0 {
		return 0
	}
	b.turns--
	b.fired += limit
	return limit
}

func (b *busyTimers) NextNS() int64 { return never }

// feed makes the one input of a stepped task: each batch holds n records with which on is called.
func feed(task *Task, n int, on func(i int)) *mailbox.Out[int] {
	pool := mailbox.NewPool[int](n)
	l := mailbox.NewLane(64, pool, nil, task.Bell())
	task.AddInput(mailbox.NewReceiver(l, 1, nil, func(b *flow.Batch[int]) {
		for i := range b.Records {
			on(b.Records[i].Value)
		}
	}))
	return mailbox.NewOut([]*mailbox.Lane[int]{l}, pool, 1)
}

// Timers that are always due keep neither input, nor barriers, nor the snapshot waiting; a watermark they hold back.
func TestTimersLeaveATurnToTheOthers(t *testing.T) {
	task, table, reports := unsealed(t)
	got := 0
	in := feed(task, 4, func(int) { got++ })
	outPool := mailbox.NewPool[int](4)
	outLane := mailbox.NewLane(64, outPool, task.Bell(), nil)
	task.AddOutlet(mailbox.NewOut([]*mailbox.Lane[int]{outLane}, outPool, 1))
	timers := &busyTimers{turns: 1 << 30}
	task.Env.AddTimed(timers)
	begin(task)
	task.Step(clock())
	write(table, 0, 500)
	for i := range 8 {
		in.Add(0, i, 0, 0)
	}
	in.Watermark(100)
	in.Barrier(flow.BarrierOf(1, flow.NoBatch))
	for turns := 0; len(*reports) == 0; turns++ {
		if turns == 100 {
			t.Fatalf("after 100 turns: %d records of 8, no part of the epoch", got)
		}
		if worked, _ := task.Step(clock()); !worked {
			t.Fatal("the task rests while timers are due")
		}
	}
	if got != 8 || entries(t, *reports)[1] != 500 {
		t.Fatalf("%d records of 8, parts %v", got, *reports)
	}
	if b := outLane.TryReceive(); b == nil || b.Mark.Has != flow.HasBarrier {
		t.Fatalf("sent %+v, want the barrier alone: timers of the watermark are due", b)
	}
	timers.turns = 0
	task.Step(clock())
	task.Step(clock())
	if b := outLane.TryReceive(); b == nil || b.Mark.Has != flow.HasWatermark || b.Mark.WatermarkNS != 100 {
		t.Fatalf("sent %+v, want the watermark", b)
	}
}

// mortal gives task a value per key that lives ttl, and returns what sets it.
func mortal(t *testing.T, task *Task, ttl time.Duration) func(key int64) {
	t.Helper()
	at := new(state.At[int64])
	v, err := state.NewValue[int64](task.Env.Store, at, "stepped", "value", ttl)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := codec.KeyOf[int64]()
	if err != nil {
		t.Fatal(err)
	}
	return func(key int64) {
		at.Key, at.Hash = key, keys.Hash(key)
		v.Set(key)
	}
}

// A task that never rests removes what has expired as fast as it comes.
func TestABusyTaskCleans(t *testing.T) {
	task, _, _ := unsealed(t)
	const batch, ttl = 1000, 10 * time.Millisecond
	set, key := mortal(t, task, ttl), int64(0)
	in := feed(task, batch, func(int) { key++; set(key) })
	begin(task)
	now, most := clock(), 0
	for range 300 {
		for i := range batch {
			in.Add(0, i, 0, 0)
		}
		if worked, _ := task.Step(now); !worked {
			t.Fatal("the batch was not taken")
		}
		now += int64(time.Millisecond)
		most = max(most, task.Env.Store.Entries())
	}
	if most > 15*batch { // ten batches live, the others are on their way out
		t.Fatalf("up to %d entries, want about %d", most, 10*batch)
	}
}

// An idle task wakes until nothing that has expired is left, soon after it has, and then sleeps on.
func TestAnIdleTaskCleansAndThenSleeps(t *testing.T) {
	task, _, _ := unsealed(t)
	set := mortal(t, task, 100*time.Millisecond)
	begin(task)
	start := clock()
	task.Step(start)
	for k := range int64(5000) {
		set(k)
	}
	now, turns := start, 0
	for ; turns < 1000; turns++ {
		worked, wake := task.Step(now)
		if wake == never && !worked {
			break
		}
		if !worked {
			now = wake
		}
	}
	if n := task.Env.Store.Entries(); n != 0 || task.Stats.StateEntries.Load() != 0 {
		t.Fatalf("%d entries are left, %d were said to be", n, task.Stats.StateEntries.Load())
	}
	if took := time.Duration(now - start); took > time.Second {
		t.Fatalf("it took %v", took)
	}
	if turns > 100 {
		t.Fatalf("it took %d turns", turns)
	}
}

// A turn of a task whose state does not expire pays next to nothing for it.
func BenchmarkCleanNothing(b *testing.B) {
	c := new(state.Clock)
	s := state.NewStore(state.Options{Groups: flow.GroupRange{Hi: flow.DefaultKeyGroups}, Clock: c})
	for _, name := range []string{"a", "b", "c"} {
		if _, err := state.NewTable[int64, int64](s, "o", name); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		s.CleanDue(cleanPerTurn)
	}
}
