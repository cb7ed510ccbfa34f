package actors

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
)

// tally is an operator that emits at the end of a batch as many values as it was given, two a piece.
type tally struct {
	name string
	have int
	did  *[]string
	next func()
}

func (a *tally) Resume(int) (more bool) {
	for range min(a.have, 2) {
		a.have--
		*a.did = append(*a.did, a.name)
		a.next()
	}
	return a.have > 0
}

// batchWriter notes what a sink is told, in order.
type batchWriter struct{ told *[]string }

func (batchWriter) Inline()      {}
func (batchWriter) Close() error { return nil }

func (w batchWriter) Write(_ context.Context, b *flow.Batch[int]) error {
	for i := range b.Records {
		*w.told = append(*w.told, fmt.Sprint(b.Records[i].Value))
	}
	return nil
}

func (w batchWriter) EndBatch(_ context.Context, batch int64) error {
	*w.told = append(*w.told, fmt.Sprintf("end of %d", batch))
	return nil
}

func (w batchWriter) Flush(context.Context) error {
	*w.told = append(*w.told, "flush")
	return nil
}

// At a trigger operators emit what they kept for the end of the batch before the cut, those upstream first, and no input is taken
// meanwhile; then sinks hear the end of the batch, behind its last record and before their flush.
func TestATriggerEndsTheBatchBeforeTheCut(t *testing.T) {
	task, _, reports := unsealed(t)
	var did, told []string
	sink := NewSink(task, "out", batchWriter{&told}, 4, 2)
	down := &tally{name: "down", did: &did, next: func() { sink.Add(0, 0, 0, flow.Insert) }}
	up := &tally{name: "up", have: 3, did: &did, next: func() { down.have++ }}
	task.Env.AddTriggered(down) // chains are built from their end
	task.Env.AddTriggered(up)
	pool := mailbox.NewPool[int](4)
	lane := mailbox.NewLane(4, pool, nil, task.Bell())
	in := mailbox.NewOut([]*mailbox.Lane[int]{lane}, pool, 1)
	task.AddInput(mailbox.NewReceiver(lane, 1, nil, func(b *flow.Batch[int]) { sink.Add(b.Records[0].Value, 0, 0, flow.Insert) }))
	begin(task)
	for i := range 2 {
		in.Add(0, 7+i, 0, 0)
		in.Watermark(int64(i))
		in.Barrier(flow.BarrierOf(flow.Epoch(i+1), []int64{3, flow.NoBatch}[i]))
	}
	settle(t, task)
	if want := []string{"up", "up", "up", "down", "down", "down"}; !slices.Equal(did, want) {
		t.Errorf("operators emitted %v, want %v", did, want)
	}
	if want := []string{"7", "0", "0", "0", "end of 3", "flush", "8", "flush"}; !slices.Equal(told, want) {
		t.Errorf("the sink was told %v, want %v", told, want)
	}
	if n := entries(t, *reports); len(n) != 2 {
		t.Errorf("%d epochs acknowledged, want 2", len(n))
	}
}

// settle turns a task until it has nothing to do.
func settle(t *testing.T, task *Task) {
	t.Helper()
	now := clock()
	for range 1000 {
		if worked, _ := task.Step(now); !worked {
			return
		}
	}
	t.Fatal("the task does not come to rest")
}

// What operators emit at a trigger meets a full lane: the task waits with the rest, and cuts when all is out.
func TestATriggerWaitsForRoom(t *testing.T) {
	task, _, reports := unsealed(t)
	var did []string
	pool := mailbox.NewPool[int](1)
	lane := mailbox.NewLane(1, pool, task.Bell(), nil)
	out := mailbox.NewOut([]*mailbox.Lane[int]{lane}, pool, 1)
	task.AddOutlet(out)
	task.Env.AddTriggered(&tally{name: "op", have: 6, did: &did, next: func() { out.Add(0, 1, 0, 0) }})
	begin(task)
	task.arrived(flow.BarrierOf(1, 0))
	got, last := 0, flow.Mark{}
	for range 100 {
		settle(t, task)
		if last.Has == 0 && len(did) > got+4 { // one in the lane, at most a piece of two refused, and one under way
			t.Fatalf("%d emitted with %d taken: the task does not wait", len(did), got)
		}
		b := lane.TryReceive()
		if b == nil {
			break
		}
		got, last = got+len(b.Records), b.Mark
		pool.Put(b)
	}
	if got != 6 || last.Ends() != 0 || last.Epoch != 1 {
		t.Fatalf("%d records and the mark %+v came, want 6 and the trigger of batch 0", got, last)
	}
	if n := entries(t, *reports); len(n) != 1 {
		t.Fatalf("%d epochs acknowledged, want 1", len(n))
	}
}

// Barriers behind one whose batch is being ended wait for it: an abandoned epoch is followed by another at once.
func TestBarriersBehindATriggerWait(t *testing.T) {
	task, _, reports := unsealed(t)
	var did []string
	task.Env.AddTriggered(&tally{name: "op", have: 5, did: &did, next: func() {}})
	begin(task)
	task.arrived(flow.BarrierOf(1, 0))
	task.arrived(flow.BarrierOf(2, flow.NoBatch))
	if len(*reports) > 0 {
		t.Fatal("cut before the batch was ended")
	}
	settle(t, task)
	if n := entries(t, *reports); len(n) != 2 || len(did) != 5 {
		t.Fatalf("%d epochs acknowledged and %d emitted, want 2 and 5", len(n), len(did))
	}
}
