package kafkasink

import (
	"bytes"
	"testing"

	"github.com/millrace-io/millrace/internal/kafka"
)

func FuzzToken(f *testing.F) {
	whole := (&token{"millrace-l-sink-3-1", kafka.Producer{ID: 1 << 40, Epoch: 32766}, kafka.Place{Topic: "out", Partition: 17, Offset: 1 << 50}}).append(nil)
	for n := range len(whole) + 1 {
		f.Add(whole[:n])
	}
	f.Add(append(whole, 0))
	f.Add([]byte{tokenVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := decodeToken(b)
		if err != nil {
			return
		}
		if again := tok.append(nil); !bytes.Equal(again, b) {
			t.Fatalf("% x is decoded as %+v, which is % x", b, tok, again)
		}
		if tok.producer.ID < 0 || tok.producer.Epoch < 0 || tok.place.Partition < 0 || tok.place.Offset < 0 {
			t.Fatalf("% x: %+v", b, tok)
		}
	})
}

func TestTokenIsDecodedWholeOrNotAtAll(t *testing.T) {
	in := token{"millrace-l-sink-3-1", kafka.Producer{ID: 1 << 40, Epoch: 32766}, kafka.Place{Topic: "out", Partition: 17, Offset: 1 << 50}}
	whole := in.append(nil)
	if out, err := decodeToken(whole); err != nil || out != in {
		t.Errorf("got %+v, %v, want %+v", out, err, in)
	}
	for n := range len(whole) {
		if out, err := decodeToken(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are decoded as %+v", n, len(whole), out)
		}
	}
	newer := bytes.Clone(whole)
	newer[0]++
	_, err := decodeToken(newer)
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("version 2")) {
		t.Errorf("a newer version: %v", err)
	}
}
