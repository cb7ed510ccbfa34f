package sources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/millrace-io/millrace/flow"
)

func (l *lines) bounder() (Bounder[string], bool) { return linesBounder{l}, l.pump == nil }

// linesBounder plans batches of a file.
type linesBounder struct{ *lines }

// planLines is how many lines are read at once to find the end of a batch.
const planLines = 1024

// Latest implements Bounder. It reads the lines of the batch, since nothing else tells where they end.
func (l linesBounder) Latest(ctx context.Context, s flow.Split, from flow.Position, most int64) (until flow.Position, err error) {
	r, err := l.Open(ctx, s, from)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failed := r.Close(); failed != nil { // else err stays as it is: io.EOF counts only bare
			err = errors.Join(failed, err)
		}
	}()
	start, err := linesAt(from)
	if err != nil {
		return nil, err
	}
	b := &Batch[string]{Records: make([]flow.Record[string], 0, planLines)}
	until = from
	for found := int64(0); most <= 0 || found < most; {
		b.Reset()
		n := planLines
		if most > 0 {
			n = int(min(most-found, planLines))
		}
		end := withCap(b, n, func() error { return r.Read(ctx, b) })
		if end != nil && end != io.EOF { //nolint:errorlint // io.EOF itself is the end of the split
			return nil, end
		}
		found += int64(len(b.Records) + len(b.Bad))
		if at, err := linesAt(b.Next); err == nil && at.offset > start.offset {
			until = append(flow.Position(nil), b.Next...)
		}
		if end != nil {
			return until, io.EOF
		}
	}
	return until, nil
}

// OpenUntil implements Bounder.
func (l linesBounder) OpenUntil(ctx context.Context, s flow.Split, from, until flow.Position) (Reader[string], error) {
	end, err := linesAt(until)
	if err != nil {
		return nil, fmt.Errorf("lines %q: %w", s.ID, err)
	}
	r, err := l.Open(ctx, s, from)
	if err != nil {
		return nil, err
	}
	lr := r.(*lineReader)
	lr.input = cutFile{lr.input.(file).f, end.offset}
	return &linesUntil{lr, s.ID, append(flow.Position(nil), until...)}, nil
}

// linesUntil checks that its batch ends where it was planned to.
type linesUntil struct {
	*lineReader
	path  string
	until flow.Position
}

func (r *linesUntil) Read(ctx context.Context, b *Batch[string]) error {
	err := r.lineReader.Read(ctx, b)
	if err == io.EOF && !bytes.Equal(b.Next, r.until) && r.at.offset > 0 { //nolint:errorlint // as above
		return fmt.Errorf("lines %q: the batch ends at byte %d otherwise than it was planned: the file was changed since", r.path, r.at.offset)
	}
	return err
}

// cutFile is a file up to an offset.
type cutFile struct {
	f   *os.File
	end int64
}

func (c cutFile) read(ctx context.Context, p []byte, patience time.Duration) (int, error) {
	at, err := c.f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if at >= c.end {
		return 0, io.EOF
	}
	return file{c.f}.read(ctx, p[:min(int64(len(p)), c.end-at)], patience)
}

func (c cutFile) close() error { return c.f.Close() }
