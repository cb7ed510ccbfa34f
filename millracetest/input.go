package millracetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// Input is a source whose records the script sends. Its methods are about all its splits, or the first.
type Input[T any] struct {
	s      *Script
	splits []*Split[T]
}

// TimedInput is an Input that gives a watermark itself, so that operators on event time need no EventTime step.
type TimedInput[T any] struct{ Input[T] }

// Split is one split of an input: its records are read in order, and it has a watermark of its own.
type Split[T any] struct {
	s       *Script
	id      string
	entries []entry[T]
	ended   bool
}

// entry is a record, or a watermark when mark is set.
type entry[T any] struct {
	value  T
	timeNS int64
	mark   bool
}

// feed is an input with its type rubbed off.
type feed interface{ end() }

// Input makes an input of so many splits; none is one.
func (s *Script) Input[T any](splits ...int) *Input[T] {
	in := new(Input[T])
	in.join(s, splits)
	return in
}

// TimedInput makes an input that gives a watermark itself; see Split.Watermark.
func (s *Script) TimedInput[T any](splits ...int) *TimedInput[T] {
	in := new(TimedInput[T])
	in.join(s, splits)
	return in
}

func (in *Input[T]) join(s *Script, splits []int) {
	n := 1
	for _, k := range splits {
		n = max(n, k)
	}
	in.s = s
	for i := range n {
		in.splits = append(in.splits, &Split[T]{s: s, id: fmt.Sprint(i)})
	}
	s.inputs = append(s.inputs, in)
}

// KeepsTime implements sources.Timekeeper.
func (in *TimedInput[T]) KeepsTime() {}

// Split is split i, from 0.
func (in *Input[T]) Split(i int) *Split[T] { return in.splits[i] }

// Send sends records to the first split, one action each. Their event time is the processing time.
func (in *Input[T]) Send(vs ...T) { in.s.t.Helper(); in.splits[0].Send(vs...) }

// SendAt sends records with an event time to the first split, one action each.
func (in *Input[T]) SendAt(at time.Time, vs ...T) { in.s.t.Helper(); in.splits[0].SendAt(at, vs...) }

// SendTogether sends records to the first split as one action: they may share batches, and be under way together.
func (in *Input[T]) SendTogether(vs ...T) { in.s.t.Helper(); in.splits[0].SendTogether(vs...) }

// Watermark moves the watermark of all splits: no record older than at follows.
func (in *Input[T]) Watermark(at time.Time) {
	in.s.t.Helper()
	in.s.act(func() {
		for _, sp := range in.splits {
			sp.entries = append(sp.entries, entry[T]{timeNS: at.UnixNano(), mark: true})
		}
	})
}

// End ends all splits.
func (in *Input[T]) End() { in.s.t.Helper(); in.s.act(in.end) }

func (in *Input[T]) end() {
	for _, sp := range in.splits {
		sp.ended = true
	}
}

// Send sends records, one action each. Their event time is the processing time.
func (sp *Split[T]) Send(vs ...T) {
	sp.s.t.Helper()
	sp.SendAt(time.Now(), vs...)
}

// SendAt sends records with an event time, one action each.
func (sp *Split[T]) SendAt(at time.Time, vs ...T) {
	sp.s.t.Helper()
	for _, v := range vs {
		sp.s.act(func() { sp.add(at, v) })
	}
}

// SendTogether sends records as one action.
func (sp *Split[T]) SendTogether(vs ...T) {
	sp.s.t.Helper()
	sp.s.act(func() { sp.add(time.Now(), vs...) })
}

func (sp *Split[T]) add(at time.Time, vs ...T) {
	if sp.ended {
		sp.s.t.Fatalf("millracetest: split %s has ended", sp.id)
	}
	for _, v := range vs {
		sp.entries = append(sp.entries, entry[T]{value: v, timeNS: at.UnixNano()})
	}
}

// Watermark moves the split's watermark: it promises that no record older than at follows; what follows all the same is late.
func (sp *Split[T]) Watermark(at time.Time) {
	sp.s.t.Helper()
	sp.s.act(func() { sp.entries = append(sp.entries, entry[T]{timeNS: at.UnixNano(), mark: true}) })
}

// End ends the split.
func (sp *Split[T]) End() {
	sp.s.t.Helper()
	sp.s.act(func() { sp.ended = true })
}

// Splits implements sources.Source.
func (in *Input[T]) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	var all []flow.Split
	for _, sp := range in.splits {
		all = append(all, flow.Split{ID: sp.id, Start: position(nil, 0)})
	}
	return all, nil
}

// Open implements sources.Source.
func (in *Input[T]) Open(_ context.Context, at flow.Split, from flow.Position) (sources.Reader[T], error) {
	for _, sp := range in.splits {
		if sp.id == at.ID {
			return &reader[T]{split: sp, next: int(binary.BigEndian.Uint64(from))}, nil
		}
	}
	return nil, fmt.Errorf("input has no split %q; does the script make its inputs in another order each time?", at.ID)
}

func position(dst flow.Position, next int) flow.Position {
	return binary.BigEndian.AppendUint64(dst, uint64(next))
}

// reader reads a split from a position on.
type reader[T any] struct {
	split *Split[T]
	next  int
}

// Poll implements sources.Poller. A watermark closes the batch.
func (r *reader[T]) Poll(_ int64, b *sources.Batch[T]) (wakeAtNS int64, err error) {
	wakeAtNS = math.MaxInt64 // the script wakes
	for r.next < len(r.split.entries) && len(b.Records) < cap(b.Records) && !b.HasWatermark {
		e := &r.split.entries[r.next]
		if r.next++; e.mark {
			b.WatermarkNS, b.HasWatermark = e.timeNS, true
			continue
		}
		b.Records = append(b.Records, flow.Record[T]{TimeNS: e.timeNS, Value: e.value})
	}
	b.Next = position(b.Next[:0], r.next)
	if b.AtEnd = r.next == len(r.split.entries); !b.AtEnd {
		return 0, nil
	}
	if r.split.ended {
		return 0, io.EOF
	}
	return wakeAtNS, nil
}

// Read implements sources.Reader; the engine polls instead.
func (r *reader[T]) Read(context.Context, *sources.Batch[T]) error {
	return fmt.Errorf("input of a script, split %s: it can only be polled", r.split.id)
}

// Close implements sources.Reader.
func (r *reader[T]) Close() error { return nil }
