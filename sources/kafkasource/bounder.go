package kafkasource

import (
	"context"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// Latest implements sources.Bounder: the end of the partition, or of its last complete transaction, and at most most
// offsets behind from. Offsets are not always records: some cannot be seen, and compaction removes some.
func (s *Source[T]) Latest(ctx context.Context, split flow.Split, from flow.Position, most int64) (flow.Position, error) {
	if len(from) == 0 {
		from = split.Start
	}
	f, err := s.fetcher(ctx, split, from, endNone)
	if err != nil {
		return nil, err
	}
	f.conn.Close()
	until := f.at
	until.next = f.newest
	if f.at.end != endNone {
		until.next = min(until.next, f.at.end)
	}
	if most > 0 {
		until.next = min(until.next, f.at.next+most)
	}
	position := from
	if until.next > f.at.next {
		position = until.append(nil)
	}
	if f.at.end != endNone && until.next >= f.at.end {
		return position, io.EOF
	}
	return position, nil
}

// Before implements sources.Orderer.
func (s *Source[T]) Before(split flow.Split, a, b flow.Position) (bool, error) {
	i, err := positionAt(a)
	var j position
	if err == nil {
		j, err = positionAt(b)
	}
	if err != nil {
		return false, fmt.Errorf("kafka source: split %q: %w", split.ID, err)
	}
	return i.next < j.next, nil
}

// OpenUntil implements sources.Bounder.
func (s *Source[T]) OpenUntil(ctx context.Context, split flow.Split, from, until flow.Position) (sources.Reader[T], error) {
	if len(until) == 0 {
		until = split.Start
	}
	end, err := positionAt(until)
	if err != nil {
		return nil, fmt.Errorf("kafka source: split %q: %w", split.ID, err)
	}
	if end.next == offsetEarliest { // nothing was ever there, or until is from
		end.next = 0
	}
	f, err := s.fetcher(ctx, split, from, end.next)
	if err != nil {
		return nil, err
	}
	if f.at.topic != end.topic && end.topic != [16]byte{} {
		f.conn.Close()
		return nil, fmt.Errorf("kafka source: topic of %q was deleted and created again since a batch up to offset %d was planned: start a new lineage", split.ID, end.next)
	}
	return newReader(f, s.decode), nil
}
