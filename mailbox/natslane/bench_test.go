package natslane_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/natslane"
)

// ints writes ints as eight bytes.
type ints struct{}

func (ints) Append(dst []byte, v *int) []byte { return binary.BigEndian.AppendUint64(dst, uint64(*v)) }

func (ints) Decode(src []byte, v *int) ([]byte, error) {
	if len(src) < 8 {
		return nil, mailbox.ErrDamaged
	}
	*v = int(binary.BigEndian.Uint64(src))
	return src[8:], nil
}

// benchLane is a lane over loopback that runs for as long as it takes.
func benchLane(b *testing.B, recordsMax int) (ls *links, in, out *mailbox.Lane[int]) {
	b.Helper()
	br := newBroker(b, 0)
	from, to := br.connect(b), br.connect(b)
	pool := mailbox.NewPool[int](recordsMax)
	in, out = mailbox.NewLane(16, pool, nil, nil), mailbox.NewLane(16, pool, nil, nil)
	r, err := natslane.NewReceiver(natslane.Config{Conn: to, Subject: "bench", Attempt: 1}, out, ints{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := natslane.NewSender(natslane.Config{Conn: from, Subject: "bench", Attempt: 1}, in, ints{})
	if err != nil {
		b.Fatal(err)
	}
	ls = newLinks(b)
	ls.ctx, ls.cancel = context.WithCancel(context.Background())
	ls.run(r.Run)
	ls.run(s.Run)
	return ls, in, out
}

// fill makes the next batch of size records.
func fill(in *mailbox.Lane[int], seq uint64, size int) *flow.Batch[int] {
	b := in.Pool().Get()
	for i := range size {
		b.Records = b.Records[:i+1]
		b.Records[i].Value = i
	}
	b.Seq, b.Attempt = seq, 1
	return b
}

// BenchmarkLane is a record's way through a lane over loopback, in batches of 256; both ends and the server are in the process.
func BenchmarkLane(b *testing.B) {
	const size = 256
	ls, in, out := benchLane(b, size)
	batches := (b.N + size - 1) / size
	b.ReportAllocs()
	b.ResetTimer()
	ls.runs.Go(func() {
		for seq := range uint64(batches) {
			if in.Send(ls.ctx, fill(in, seq+1, size)) != nil {
				return
			}
		}
	})
	for range batches {
		batch, err := out.Receive(ls.ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		out.Pool().Put(batch)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.StopTimer()
	ls.stop()
}

// BenchmarkLatency is the way of one record through a lane at rest.
func BenchmarkLatency(b *testing.B) {
	ls, in, out := benchLane(b, 1)
	took := make([]time.Duration, 0, b.N)
	for seq := range uint64(b.N) {
		start := time.Now()
		if err := in.Send(ls.ctx, fill(in, seq+1, 1)); err != nil {
			b.Fatal(err)
		}
		batch, err := out.Receive(ls.ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		out.Pool().Put(batch)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "µs-p99")
	b.StopTimer()
	ls.stop()
}

// BenchmarkRecordPerMessage is what the lane is compared with: each record a message, over the same NATS, without any of the lane's promises.
// The consumer says every 1024 records how far it is, or the server would drop it.
func BenchmarkRecordPerMessage(b *testing.B) {
	const window = 8192
	br := newBroker(b, 0)
	from, to := br.connect(b), br.connect(b)
	in, acks := make(chan *nats.Msg, 2*window), make(chan *nats.Msg, 64)
	if _, err := to.ChanSubscribe("records", in); err != nil {
		b.Fatal(err)
	}
	if _, err := from.ChanSubscribe("acks", acks); err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(to.Flush(), from.Flush()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	ls := newLinks(b)
	ls.runs.Go(func() {
		buf := make([]byte, 0, 64)
		for i := range b.N {
			if i >= window && i%(window/8) == 0 {
				<-acks
			}
			buf = binary.BigEndian.AppendUint64(buf[:0], uint64(i))
			buf = binary.BigEndian.AppendUint64(buf, uint64(i))
			buf = ints{}.Append(append(buf, 0), &i)
			_ = from.Publish("records", buf)
		}
	})
	for n := range b.N {
		m := <-in
		if v := 0; len(m.Data) == 25 {
			_, _ = ints{}.Decode(m.Data[17:], &v)
		}
		if (n+1)%(window/8) == 0 {
			_ = to.Publish("acks", nil)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.StopTimer()
	ls.stop()
}
