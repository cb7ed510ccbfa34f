package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// Event is the record of all topologies.
type Event struct {
	Key   string
	Split int64  // of all sources together
	Seq   int64  // in the split
	AtNS  int64  // event time
	N     int64  // what an operator made of it
	Op    string // the operator
}

// Event times of a split, nanoseconds: how far they are apart, and how far out of order.
const apartNS, disorderNS = 20_000, 50_000

// events makes the records of a split. Some come twice.
func (s *swarm) events(rng *rand.Rand, split, n int) []Event {
	var all []Event
	for i := range n {
		k := int(float64(s.keys) * math.Pow(rng.Float64(), s.skew))
		e := Event{Key: fmt.Sprintf("k%d", k), Split: int64(split), Seq: int64(i), AtNS: int64(i)*apartNS + rng.Int64N(disorderNS)}
		if i > 0 && all[i-1].AtNS >= int64(i-1)*apartNS && rng.IntN(8) == 0 {
			e.Key, e.AtNS = all[i-1].Key, all[i-1].AtNS
		}
		all = append(all, e)
	}
	return all
}

// source is a source of some of the world's splits.
type source struct {
	w     *world
	first int // of its splits
}

// Splits implements sources.Source.
func (s *source) Splits(_ context.Context, known []string) (splits []flow.Split, err error) {
	if len(known) > 0 {
		return nil, nil
	}
	for i := range s.w.s.splits {
		splits = append(splits, flow.Split{ID: fmt.Sprintf("split-%d", i), Start: binary.AppendUvarint(nil, 0)})
	}
	return splits, nil
}

// Open implements sources.Source.
func (s *source) Open(_ context.Context, split flow.Split, from flow.Position) (sources.Reader[Event], error) {
	p := s.w.stepping
	if s.w.strikes(readFails) {
		return nil, fmt.Errorf("open: %w", errInjected)
	}
	var i int
	if _, err := fmt.Sscanf(split.ID, "split-%d", &i); err != nil {
		return nil, err
	}
	next, n := binary.Uvarint(from)
	events := s.w.events[s.first+i]
	if n <= 0 || next > uint64(len(events)) {
		return nil, fmt.Errorf("position %x of %d events", from, len(events))
	}
	r := &reader{w: s.w, p: p, events: events, next: int(next)}
	if s.w.s.polls {
		return poller{r}, nil
	}
	return r, nil
}

// reader reads a split; events come to be at their times.
type reader struct {
	w      *world
	p      *process
	events []Event
	next   int
}

// atNS is when the next event comes to be.
func (r *reader) atNS() int64 { return startNS + int64(r.next)*int64(r.w.s.gap) }

// fill takes some of what there is.
func (r *reader) fill(b *sources.Batch[Event]) error {
	for n := r.w.rng.IntN(cap(b.Records)) + 1; n > 0 && r.next < len(r.events) && r.atNS() <= r.w.now; n-- {
		b.Records = append(b.Records, flow.Record[Event]{Value: r.events[r.next]})
		r.next++
	}
	b.Next = binary.AppendUvarint(b.Next[:0], uint64(r.next))
	if r.next == len(r.events) {
		return io.EOF
	}
	return nil
}

// Read implements sources.Reader.
func (r *reader) Read(ctx context.Context, b *sources.Batch[Event]) error {
	if !r.p.park(func() bool { return ctx.Err() != nil }, max(r.atNS(), r.w.now)) {
		return errKilled
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.w.strikes(readFails) && r.w.rng.IntN(2) == 0:
		return fmt.Errorf("read: %w", sources.ErrDisconnected)
	case r.w.strikes(readFails):
		return fmt.Errorf("read: %w", errInjected)
	}
	return r.fill(b)
}

// Close implements sources.Reader.
func (r *reader) Close() error { return nil }

type poller struct{ *reader }

// Poll implements sources.Poller.
func (r poller) Poll(_ int64, b *sources.Batch[Event]) (int64, error) {
	if r.w.strikes(readFails) {
		return 0, fmt.Errorf("poll: %w", errInjected)
	}
	err := r.fill(b)
	if r.atNS() <= r.w.now {
		return 0, err
	}
	return r.atNS(), err
}
