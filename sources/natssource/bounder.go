package natssource

import (
	"context"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// Latest implements sources.Bounder: the end of the stream, and at most most sequences behind from. Sequences are not always messages of the
// split: some are of other subjects, and some were deleted.
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
	until.next = min(f.newest+1, f.at.end)
	if most > 0 {
		until.next = min(until.next, f.at.next+uint64(most))
	}
	position := from
	if until.next > f.at.next {
		position = until.append(nil)
	}
	if until.next >= f.at.end {
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
		return false, fmt.Errorf("nats source: split %q: %w", split.ID, err)
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
		return nil, fmt.Errorf("nats source: split %q: %w", split.ID, err)
	}
	f, err := s.fetcher(ctx, split, from, end.next)
	if err != nil {
		return nil, err
	}
	return s.read(ctx, f)
}
