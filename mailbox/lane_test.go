package mailbox_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a lane of capacity batchesMax with both task's ends.
type pair struct {
	lane               *mailbox.Lane[int]
	out                *mailbox.Out[int]
	in                 *mailbox.Receiver[int]
	producer, consumer *mailbox.Bell
	got                []int
}

func newPair(recordsMax, batchesMax int) *pair {
	p := &pair{producer: mailbox.NewBell(), consumer: mailbox.NewBell()}
	pool := mailbox.NewPool[int](recordsMax)
	p.lane = mailbox.NewLane(batchesMax, pool, p.producer, p.consumer)
	p.out = mailbox.NewOut([]*mailbox.Lane[int]{p.lane}, pool, 1)
	p.in = mailbox.NewReceiver(p.lane, 1, nil, func(b *flow.Batch[int]) {
		for i := range b.Records {
			p.got = append(p.got, b.Records[i].Value)
		}
	})
	return p
}

func TestMarksHoldAfterTheRecordsBeforeThem(t *testing.T) {
	p := newPair(4, 8)
	p.out.Add(0, 1, 10, 0)
	p.out.Watermark(10)
	p.out.Add(0, 2, 20, 0)
	p.out.Barrier(flow.BarrierOf(7, flow.NoBatch))
	p.out.Add(0, 3, 30, 0)
	p.out.End()
	want := []struct {
		records int
		mark    flow.Mark
	}{
		{2, flow.Mark{WatermarkNS: 10, Epoch: 7, Has: flow.HasWatermark | flow.HasBarrier}},
		{1, flow.Mark{Has: flow.HasEnd}},
	}
	for i, w := range want {
		if !p.in.Take() {
			t.Fatalf("batch %d: none arrived", i)
		}
		if m, n := p.in.Deliver(); m != w.mark || n != w.records {
			t.Fatalf("batch %d: %d records, mark %+v; want %d, %+v", i, n, m, w.records, w.mark)
		}
	}
	if p.in.Take() {
		t.Fatal("a third batch arrived")
	}
}

func TestKindsAppearWithTheFirstThatIsNoInsert(t *testing.T) {
	p := newPair(8, 8)
	p.out.Add(0, 1, 0, 0)
	p.out.AddKind(0, 2, 0, 0, flow.Delete)
	p.out.Add(0, 3, 0, 0)
	p.out.Flush()
	b := p.lane.TryReceive()
	for i, want := range []flow.Kind{flow.Insert, flow.Delete, flow.Insert} {
		if got := b.KindOf(i); got != want {
			t.Errorf("record %d is %v, want %v", i, got, want)
		}
	}
	p.lane.Pool().Put(b)
	p.out.Add(0, 4, 0, 0)
	p.out.Flush()
	if b := p.lane.TryReceive(); len(b.Kinds) != 0 || b.KindOf(0) != flow.Insert {
		t.Errorf("a reused batch of inserts has kinds %v", b.Kinds)
	}
}

func TestAWatermarkForcesNoBatchButIdleLanesLearnIt(t *testing.T) {
	p := newPair(8, 8)
	p.out.Watermark(5)
	if p.lane.Len() != 0 {
		t.Fatal("a watermark alone sent a batch")
	}
	p.out.Flush()
	p.out.Flush()
	if p.lane.Len() != 1 {
		t.Fatalf("%d batches after two flushes, want 1 with the watermark", p.lane.Len())
	}
}

func TestAFullLaneRefusesAndRingsWhenThereIsRoom(t *testing.T) {
	p := newPair(1, 1)
	for i := range 3 {
		p.out.Add(0, i, 0, 0)
	}
	if !p.out.Blocked() || p.out.Room() {
		t.Fatalf("blocked %t, room %t; want blocked without room", p.out.Blocked(), p.out.Room())
	}
	rung := make(chan struct{})
	go func() {
		p.producer.Sleep(-1, p.out.Room)
		close(rung)
	}()
	for !p.in.Take() {
	}
	p.in.Deliver()
	<-rung
	if p.out.Retry() {
		t.Fatal("all went out although there was room for one")
	}
	for want := 1; want < 3; want++ {
		if !p.in.Take() {
			t.Fatalf("record %d did not arrive", want)
		}
		p.in.Deliver()
		p.out.Retry()
	}
	if p.out.Blocked() {
		t.Fatal("still blocked when all is gone")
	}
	for i, v := range p.got {
		if v != i {
			t.Fatalf("order %v", p.got)
		}
	}
}

// A producer that was refused is not woken for each batch that leaves, but when half of them have.
func TestARefusedProducerIsRungAtHalf(t *testing.T) {
	p := newPair(1, 8)
	for i := range 9 {
		p.out.Add(0, i, 0, 0)
	}
	for left := 8; left > 0; left-- {
		if want := left <= 4; p.out.Room() != want {
			t.Fatalf("room %t with %d batches of 8 waiting", !want, left)
		}
		if left == 5 {
			rung := make(chan bool)
			go func() { rung <- p.producer.Sleep(-1, p.out.Room) }()
			p.in.Take()
			p.in.Deliver()
			<-rung
			continue
		}
		p.in.Take()
		p.in.Deliver()
	}
}

func TestALostBatchEndsTheAttempt(t *testing.T) {
	p := newPair(1, 4)
	p.out.Add(0, 1, 0, 0)
	p.out.Add(0, 2, 0, 0)
	p.lane.Pool().Put(p.lane.TryReceive()) // lost on the way
	p.in.Take()
	defer func() {
		if e, ok := recover().(mailbox.SequenceError); !ok || e.Want != 1 || e.Got != 2 {
			t.Fatalf("recovered %v, want a sequence error 1, 2", e)
		}
	}()
	p.in.Deliver()
}

func TestBatchesOfAnOlderAttemptAreDropped(t *testing.T) {
	p := newPair(1, 4)
	late := mailbox.NewReceiver(p.lane, 2, nil, func(*flow.Batch[int]) { t.Error("a record of attempt 1 was processed in attempt 2") })
	p.out.Add(0, 1, 0, 0)
	late.Take()
	if m, n := late.Deliver(); n != 0 || m.Has != 0 {
		t.Fatalf("%d records, mark %+v; want none", n, m)
	}
}

func TestAMaskedInputTakesNothing(t *testing.T) {
	p := newPair(1, 4)
	p.out.Add(0, 1, 0, 0)
	p.in.SetMasked(true)
	if p.in.Take() || p.in.Waiting() {
		t.Fatal("a masked input was read")
	}
	p.in.SetMasked(false)
	if !p.in.Waiting() || !p.in.Take() {
		t.Fatal("an unmasked input was not read")
	}
	p.in.Deliver()
}

// A random producer and consumer that sleep on their bells: no wake-up may be lost, no record lost or reordered.
func TestNoWakeUpIsLost(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const records = 20000
	for round := range uint64(4) {
		p := newPair(1+int(round)*3, 1+int(round))
		rng := rand.New(rand.NewPCG(seed, round))
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range records {
				p.out.Add(0, i, 0, 0)
				if rng.IntN(5) == 0 {
					p.out.Flush()
				}
				for p.out.Blocked() && !p.out.Retry() {
					p.producer.Sleep(-1, p.out.Room)
				}
			}
			p.out.Flush()
			for p.out.Blocked() && !p.out.Retry() {
				p.producer.Sleep(-1, p.out.Room)
			}
		})
		for len(p.got) < records {
			if p.in.Take() {
				p.in.Deliver()
				continue
			}
			p.consumer.Sleep(-1, p.in.Waiting)
		}
		wg.Wait()
		for i, v := range p.got {
			if v != i {
				t.Fatalf("seed %d: record %d is %d", seed, i, v)
			}
		}
	}
}

func TestBlockingEndsStopWithTheirContext(t *testing.T) {
	p := newPair(1, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.lane.Receive(ctx, nil); err == nil {
		t.Error("Receive on an ended context returned no error")
	}
	p.out.Add(0, 1, 0, 0)
	if err := p.lane.Send(ctx, p.lane.Pool().Get()); err == nil {
		t.Error("Send to a full lane on an ended context returned no error")
	}
}

func TestBellTimesOut(t *testing.T) {
	b := mailbox.NewBell()
	if !b.Sleep(time.Microsecond, func() bool { return false }) {
		t.Error("nobody rang, but the sleep says it was not timed out")
	}
}

func TestRecordPathAllocatesNothing(t *testing.T) {
	p := newPair(256, 8)
	p.in = mailbox.NewReceiver(p.lane, 1, nil, func(*flow.Batch[int]) {})
	hop := func() {
		for i := range 256 {
			p.out.Add(0, i, 0, 0)
		}
		p.in.Take()
		p.in.Deliver()
	}
	hop()
	if n := testing.AllocsPerRun(100, hop); n >= 1 {
		t.Errorf("%v allocations per batch of 256, want 0", n)
	}
}

func BenchmarkHop(b *testing.B) {
	p := newPair(256, 8)
	sum := 0
	p.in = mailbox.NewReceiver(p.lane, 1, nil, func(b *flow.Batch[int]) {
		for i := range b.Records {
			sum += b.Records[i].Value
		}
	})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.out.Add(0, i, 0, 0)
		if i&255 == 255 {
			p.in.Take()
			p.in.Deliver()
		}
	}
}
