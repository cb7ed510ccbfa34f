package mailbox_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
)

// plainInts writes ints as eight bytes.
type plainInts struct{}

func (plainInts) Append(dst []byte, v *int) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(*v))
}

func (plainInts) Decode(src []byte, v *int) ([]byte, error) {
	if len(src) < 8 {
		return nil, mailbox.ErrDamaged
	}
	*v = int(binary.BigEndian.Uint64(src))
	return src[8:], nil
}

// recordedLane is a lane with a receiver that can record, and what it has processed.
type recordedLane struct {
	out  *mailbox.Out[int]
	in   *mailbox.Receiver[int]
	seen []string
}

func (l *recordedLane) process(b *flow.Batch[int]) {
	for i := range b.Records {
		r := &b.Records[i]
		l.seen = append(l.seen, fmt.Sprint(r.TimeNS, r.Hash, b.KindOf(i), r.Value))
	}
}

func newRecordedLane(lane, batch int) *recordedLane {
	l, pool := &recordedLane{}, mailbox.NewPool[int](batch)
	ln := mailbox.NewLane(lane, pool, mailbox.NewBell(), mailbox.NewBell())
	l.out = mailbox.NewOut([]*mailbox.Lane[int]{ln}, pool, 1)
	l.in = mailbox.NewReceiver(ln, 1, plainInts{}, l.process)
	return l
}

// drain processes all that can be taken.
func (l *recordedLane) drain() {
	for l.in.Take() {
		l.in.Deliver()
	}
}

// What lies in front of a barrier is recorded without being processed, as far as the lane's and the producer's buffers reach, and then
// processed once and in order. What lies behind is not recorded.
func TestALaneIsRecordedUpToItsBarrier(t *testing.T) {
	l := newRecordedLane(2, 2)
	kinds := []flow.Kind{flow.Insert, flow.Delete, flow.Final}
	for i := range 9 { // four batches and a half: two fit
		l.out.AddKind(0, i, int64(10*i), uint64(i), kinds[i%3])
	}
	l.out.Barrier(flow.BarrierOf(7, flow.NoBatch))
	l.out.Add(0, 100, 0, 0)
	l.out.Flush()

	var recorded [][]byte
	keep := func(b []byte) { recorded = append(recorded, append([]byte(nil), b...)) }
	l.in.Record(keep)
	if l.in.Take() {
		t.Fatal("a batch was taken that is not recorded")
	}
	var barrier flow.Mark
	for turns := 0; barrier.Has == 0; turns++ {
		if turns > 100 {
			t.Fatal("the barrier does not come")
		}
		barrier, _ = l.in.Stash(keep)
		l.out.Retry()
	}
	if want := flow.BarrierOf(7, flow.NoBatch); barrier != want {
		t.Errorf("barrier %+v, want %+v", barrier, want)
	}
	if len(l.seen) > 0 || len(recorded) != 5 {
		t.Errorf("%d records processed, %d batches recorded, want none and 5", len(l.seen), len(recorded))
	}
	l.drain()
	l.out.Retry()
	l.drain()
	if len(l.seen) != 10 {
		t.Fatalf("processed %v", l.seen)
	}

	restored := &recordedLane{}
	in := mailbox.NewReplay(plainInts{}, restored.process)
	for _, b := range recorded {
		if err := in.Load(b, func(uint64) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	var again [][]byte
	in.Record(func(b []byte) { again = append(again, append([]byte(nil), b...)) })
	if fmt.Sprint(again) != fmt.Sprint(recorded) {
		t.Errorf("what was restored is recorded as\n%v, want\n%v", again, recorded)
	}
	for in.Take() {
		in.Deliver()
	}
	if got, want := fmt.Sprint(restored.seen), fmt.Sprint(l.seen[:9]); got != want {
		t.Errorf("restored %s, want %s", got, want)
	}
}

// Both halves of an update are in one batch, whatever its size: a cut between two batches divides none.
func TestAnUpdateIsInOneBatch(t *testing.T) {
	for size := 1; size < 5; size++ {
		l := newRecordedLane(64, size)
		for i := range 10 {
			if i%3 == 0 {
				l.out.Add(0, i, 0, 0)
			}
			l.out.AddKind(0, i, 0, 0, flow.UpdateBefore)
			l.out.AddKind(0, i, 0, 0, flow.UpdateAfter)
		}
		l.out.Flush()
		records := 0
		for l.in.Take() {
			before := len(l.seen)
			_, n := l.in.Deliver()
			records += n
			if n > size+1 {
				t.Errorf("batches of %d: one of %d records", size, n)
			}
			if last := l.seen[len(l.seen)-1]; strings.Contains(last, flow.UpdateBefore.String()) {
				t.Errorf("batches of %d: one ends with half an update: %q", size, l.seen[before:])
			}
		}
		if records != 24 {
			t.Errorf("batches of %d: %d records, want 24", size, records)
		}
	}
}

// A stash is bounded: a producer that does not hear of the cut fills it no further.
func TestAStashIsBounded(t *testing.T) {
	l := newRecordedLane(2, 1)
	for i := range 100 {
		l.out.Add(0, i, 0, 0)
	}
	l.in.Record(func([]byte) {})
	moved := 0
	for {
		_, ok := l.in.Stash(func([]byte) {})
		if !ok {
			break
		}
		moved++
		l.out.Retry()
	}
	if moved != 8 {
		t.Errorf("%d batches stashed of a lane for 2, want 8", moved)
	}
	if !l.in.Take() {
		t.Fatal("a stashed batch cannot be taken")
	}
	l.in.Deliver()
	if !l.in.Stashable() {
		t.Error("there is room again, and nothing can be stashed")
	}
}

func FuzzReplay(f *testing.F) {
	l := newRecordedLane(4, 4)
	for i := range 6 {
		l.out.AddKind(0, i, int64(i), uint64(i), flow.Kind(3*(i%2)))
	}
	l.out.Barrier(flow.BarrierOf(1, flow.NoBatch))
	l.in.Record(func([]byte) {})
	for {
		if m, moved := l.in.Stash(func(b []byte) { f.Add(append([]byte(nil), b...)) }); !moved || m.Has != 0 {
			break
		}
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		seen := &recordedLane{}
		in := mailbox.NewReplay(plainInts{}, seen.process)
		if in.Load(data, func(uint64) bool { return true }) != nil {
			return
		}
		n, w := binary.Uvarint(data)
		in.Record(func(b []byte) {
			if m, v := binary.Uvarint(b); m != n || string(b[v:]) != string(data[w:]) {
				t.Errorf("loaded %x, recorded %x", data, b)
			}
		})
	})
}
