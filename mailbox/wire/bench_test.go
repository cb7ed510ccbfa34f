package wire_test

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/wire"
)

// BenchmarkRecord is what a record costs both ends besides the network: encoding, checksums, the protocol, decoding; in batches of 256.
func BenchmarkRecord(b *testing.B) {
	const size = 256
	in, out := batchOf(rand.New(rand.NewPCG(9, 9)), size, false), mailbox.NewPool[int](size).Get()
	s := wire.NewSending(wire.SendingConfig{Lane: thisLane, CreditBytes: 1 << 20, BatchBytesMax: 1 << 20, PieceBytesMax: 1 << 20})
	r := wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, CreditBytes: 1 << 20, Credits: 32, BatchBytesMax: 1 << 20})
	if err := s.Receive(r.Grant(0)); err != nil {
		b.Fatal(err)
	}
	toR := func(f []byte) error {
		a, err := r.Receive(f)
		if err != nil {
			return err
		}
		out.Reset()
		if err := wire.DecodeBody(a.Body, plainInts{}, out); err != nil || !r.Taken() {
			return err
		}
		return s.Receive(r.Grant(0))
	}
	buf := make([]byte, wire.HeadBytes)
	b.ReportAllocs()
	for i := 0; i < b.N; i += size {
		buf = wire.AppendBody(buf[:wire.HeadBytes], plainInts{}, in)
		if err := s.Send(buf, toR); err != nil {
			b.Fatal(err)
		}
	}
}
