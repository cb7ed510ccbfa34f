package natssource

import (
	"testing"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// A consumer made on a replica that lags begins at the replica's end, before the position: what comes again is left out.
func TestWhatComesAgainIsLeftOut(t *testing.T) {
	f := &fetcher{cfg: Config{FetchMessages: 10, probeEvery: time.Hour}, split: "S/>", at: position{next: 5, end: endNone}, stop: endNone}
	r := newReader(f, New(Config{}, codec.String).decode)
	for n, v := range []string{"3", "4", "5", "6"} {
		meta := &client.MsgMetadata{Timestamp: time.Unix(1, 0), NumPending: 1}
		meta.Sequence.Stream = uint64(n + 3)
		r.out <- fetched{msg: &client.Msg{Subject: "S.x", Data: []byte(v)}, meta: meta}
	}
	b := &sources.Batch[string]{Records: make([]flow.Record[string], 0, 10)}
	if err := r.Read(t.Context(), b); err != nil || len(b.Records) != 2 || b.Records[0].Value != "5" || b.Records[1].Value != "6" {
		t.Errorf("got %v, error %v", b.Records, err)
	}
}

// What is damaged, or of another source, is refused; what is not comes back.
func TestPositions(t *testing.T) {
	for _, p := range []position{{earliest, endNone, 1}, {7, 9, -1}, {1, 1, 0}} {
		if back, err := positionAt(p.append(nil)); err != nil || back != p {
			t.Errorf("%+v came back as %+v, error %v", p, back, err)
		}
	}
	for _, b := range []flow.Position{nil, make(flow.Position, 24), make(flow.Position, 25), position{endNone, 5, 0}.append(nil)} {
		if p, err := positionAt(b); err == nil {
			t.Errorf("%x is read as %+v", []byte(b), p)
		}
	}
}
