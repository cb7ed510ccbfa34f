package wire_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/wire"
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

// batchOf makes records of all kinds, or inserts alone.
func batchOf(rng *rand.Rand, records int, kinds bool) *flow.Batch[int] {
	b := &flow.Batch[int]{}
	for range records {
		b.Records = append(b.Records, flow.Record[int]{TimeNS: rng.Int64() - 1<<62, Hash: rng.Uint64(), Value: rng.Int()})
		if kinds {
			b.Kinds = append(b.Kinds, flow.Kind(rng.IntN(5)))
		}
	}
	return b
}

var marks = []flow.Mark{
	{},
	{WatermarkNS: flow.NoWatermarkNS, Has: flow.HasWatermark},
	{WatermarkNS: flow.FinalWatermarkNS, Has: flow.HasWatermark | flow.HasEnd},
	{Has: flow.HasIdle},
	{WatermarkNS: -1, Has: flow.HasWatermark | flow.HasIdle},
	flow.BarrierOf(7, flow.NoBatch),
	flow.BarrierOf(1<<40, 0),
	{WatermarkNS: 5, Epoch: 9, Batch: 3, Has: flow.HasWatermark | flow.HasBarrier | flow.HasTrigger | flow.HasEnd},
}

func TestABodyComesOutAsItWentIn(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, m := range marks {
		for records := range 4 {
			for _, kinds := range []bool{false, true} {
				in := batchOf(rng, records, kinds)
				in.Mark = m
				out := &flow.Batch[int]{}
				if err := wire.DecodeBody(wire.AppendBody(nil, plainInts{}, in), plainInts{}, out); err != nil {
					t.Fatalf("%+v: %v", in, err)
				}
				same := out.Mark == m && len(out.Records) == records
				for i := range in.Records {
					same = same && reflect.DeepEqual(in.Records[i], out.Records[i]) && in.KindOf(i) == out.KindOf(i)
				}
				if !same {
					t.Fatalf("in %+v, out %+v", in, out)
				}
				if out.Mark.Ends() != m.Ends() {
					t.Errorf("ends batch %d, want %d", out.Mark.Ends(), m.Ends())
				}
			}
		}
	}
}

func TestABodyIsReadToItsEnd(t *testing.T) {
	in := batchOf(rand.New(rand.NewPCG(4, 4)), 3, true)
	in.Mark = marks[len(marks)-1]
	whole := wire.AppendBody(nil, plainInts{}, in)
	for n := range whole {
		if wire.DecodeBody(whole[:n], plainInts{}, &flow.Batch[int]{}) == nil {
			t.Errorf("the first %d of %d bytes were taken for a body", n, len(whole))
		}
	}
	if wire.DecodeBody(append(whole, 0), plainInts{}, &flow.Batch[int]{}) == nil {
		t.Error("a body with a byte too many was taken")
	}
	for _, has := range []flow.MarkBits{flow.HasTrigger, 1 << 5, 1 << 7} {
		bad := bytes.Clone(whole)
		bad[0] = byte(has)
		if wire.DecodeBody(bad, plainInts{}, &flow.Batch[int]{}) == nil {
			t.Errorf("a mark with bits %b was taken", has)
		}
	}
}

func TestNothingIsAllocatedPerRecord(t *testing.T) {
	in := batchOf(rand.New(rand.NewPCG(5, 5)), 256, false)
	out := mailbox.NewPool[int](256).Get()
	buf := wire.AppendBody(nil, plainInts{}, in)
	allocs := testing.AllocsPerRun(100, func() {
		buf = wire.AppendBody(buf[:0], plainInts{}, in)
		out.Reset()
		if err := wire.DecodeBody(buf, plainInts{}, out); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%.1f allocations for a batch of 256 records, want none", allocs)
	}
}

// allocatedBy is how many bytes f allocates.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// allocationMax is the most that so many bytes from a network may cost.
func allocationMax(bytes int) uint64 { return 8*uint64(bytes) + 64<<10 }

// FuzzFrames gives both ends what a network could bring them: no panic, no memory beyond what came.
func FuzzFrames(f *testing.F) {
	s, r := told(f)
	f.Add(bytes.Clone(r.Grant(1)))
	f.Add(probe(f, s))
	f.Add(batch(f, s, string(wire.AppendBody(nil, plainInts{}, batchOf(rand.New(rand.NewPCG(6, 6)), 2, true)))))
	for _, p := range pieces(f, s, string(make([]byte, 2*pieceBytes))) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, r := told(t)
		for _, frame := range [][]byte{data, wire.Reseal(bytes.Clone(data))} {
			allocated := allocatedBy(func() {
				_ = s.Receive(frame)
				a, err := r.Receive(frame)
				if err == nil && a.Seq > 0 {
					_ = wire.DecodeBody(a.Body, plainInts{}, &flow.Batch[int]{})
				}
			})
			if allocated > allocationMax(len(data)) {
				t.Errorf("%d bytes allocated for %d", allocated, len(data))
			}
		}
	})
}

func FuzzBody(f *testing.F) {
	rng := rand.New(rand.NewPCG(8, 8))
	for _, m := range marks {
		b := batchOf(rng, 3, m.Has&flow.HasBarrier != 0)
		b.Mark = m
		f.Add(wire.AppendBody(nil, plainInts{}, b))
	}
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := &flow.Batch[int]{}, error(nil)
		allocated := allocatedBy(func() { err = wire.DecodeBody(data, plainInts{}, b) })
		if allocated > allocationMax(len(data)) {
			t.Errorf("%d bytes allocated for %d", allocated, len(data))
		}
		if err != nil {
			return
		}
		again, stable := wire.AppendBody(nil, plainInts{}, b), &flow.Batch[int]{}
		if err := wire.DecodeBody(again, plainInts{}, stable); err != nil || !bytes.Equal(wire.AppendBody(nil, plainInts{}, stable), again) {
			t.Errorf("%x decoded to %+v, encoded to %x, decoded to %+v: %v", data, b, again, stable, err)
		}
	})
}
