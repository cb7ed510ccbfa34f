package natslane_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

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

// BenchmarkLane is a record's way through a lane over loopback, in batches of 256, with all CPU of both ends and the server.
func BenchmarkLane(b *testing.B) {
	const size = 256
	br := newBroker(b, 0)
	from, to := br.connect(b), br.connect(b)
	pool := mailbox.NewPool[int](size)
	in, out := mailbox.NewLane(16, pool, nil, nil), mailbox.NewLane(16, pool, nil, nil)
	r, err := natslane.NewReceiver(natslane.Config{Conn: to, Subject: "bench", Attempt: 1}, out, ints{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := natslane.NewSender(natslane.Config{Conn: from, Subject: "bench", Attempt: 1}, in, ints{})
	if err != nil {
		b.Fatal(err)
	}
	ls := newLinks(b)
	ls.ctx, ls.cancel = context.WithCancel(context.Background()) // as long as it takes
	ls.run(r.Run)
	ls.run(s.Run)
	b.ReportAllocs()
	ls.runs.Go(func() {
		seq := uint64(0)
		for i := 0; b.N > i; {
			batch := pool.Get()
			for ; i < b.N && len(batch.Records) < size; i++ {
				n := len(batch.Records)
				batch.Records = batch.Records[:n+1]
				batch.Records[n].Value = i
			}
			seq++
			batch.Seq, batch.Attempt = seq, 1
			if in.Send(ls.ctx, batch) != nil {
				return
			}
		}
	})
	for n := 0; n < b.N; {
		batch, err := out.Receive(ls.ctx, nil)
		if err != nil {
			b.Fatal(errors.Join(err, <-ls.broken))
		}
		n += len(batch.Records)
		pool.Put(batch)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
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
