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

// LinesConfig is the configuration of Lines.
type LinesConfig struct {
	Path         string    // file to read; "-" is standard input
	Input        io.Reader // read instead of Path when not nil; like standard input it cannot be replayed
	MaxLineBytes int       // longer lines go to the dead letters; default 1 MiB
}

const lineBytesMax = 1 << 20

func (c LinesConfig) withDefaults() LinesConfig {
	if c.Input == nil && c.Path == "-" {
		c.Input = os.Stdin
	}
	if c.MaxLineBytes == 0 {
		c.MaxLineBytes = lineBytesMax
	}
	return c
}

// Lines is a source of the lines of a file as it is at the start, without their line ends (\n or \r\n), in one split; a
// last line without a line end counts. A record's time is when it was read. Standard input that gives nothing for a moment
// (10 ms) is at its end for now, see Batch.AtEnd.
//
// A position is a byte offset with checksums of what lies before it: a file that was truncated, replaced or changed
// since is a hard error, and so is a last line that grew after it was read. Standard input cannot be read again; see
// Replayable.
func Lines(cfg LinesConfig) Source[string] {
	cfg = cfg.withDefaults()
	l := &lines{cfg: cfg}
	if cfg.Input != nil {
		l.pump = &pump{from: cfg.Input, chunks: make(chan chunk, 1), buf: make([]byte, lineChunkBytes)}
	}
	return l
}

type lines struct {
	cfg  LinesConfig
	pump *pump // of an input that cannot be replayed
}

func (l *lines) Replayable() bool { return l.pump == nil }

func (l *lines) Check(context.Context) error {
	if l.cfg.MaxLineBytes < 0 {
		return fmt.Errorf("lines: longest line %d bytes is negative", l.cfg.MaxLineBytes)
	}
	if l.pump != nil {
		return nil
	}
	if l.cfg.Path == "" {
		return errors.New(`lines: no path: set LinesConfig.Path, "-" for standard input`)
	}
	f, err := os.Open(l.cfg.Path)
	if err != nil {
		return fmt.Errorf("lines: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%q is a directory: name one file", l.cfg.Path)
	}
	if err != nil {
		return fmt.Errorf("lines: %w", err)
	}
	return nil
}

func (l *lines) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	return []flow.Split{{ID: l.name(), Start: linePosition{}.append(nil)}}, nil
}

func (l *lines) name() string {
	if l.cfg.Path != "" {
		return l.cfg.Path
	}
	return "input"
}

func (l *lines) Open(_ context.Context, s flow.Split, from flow.Position) (Reader[string], error) {
	at, err := linesAt(from)
	if err != nil {
		return nil, fmt.Errorf("lines %q: %w", s.ID, err)
	}
	r := &lineReader{max: l.cfg.MaxLineBytes, at: at, buf: make([]byte, max(lineChunkBytes, l.cfg.MaxLineBytes+2))}
	if l.pump != nil {
		r.input = l.pump
		return r, nil
	}
	f, err := os.Open(s.ID)
	if err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	if err := r.resume(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lines %q: %w", s.ID, err)
	}
	r.input = file{f}
	return r, nil
}

// span is a line within the buffer, without its end.
type span struct{ from, to int }

type lineReader struct {
	input input
	max   int
	at    linePosition
	head  []byte // the first markBytes bytes of the input
	tail  []byte // the last markBytes bytes before at

	buf      []byte
	from, to int // the unread bytes in buf; buf[from] is at at.offset+skipped
	ended    bool
	spans    []span

	long    []byte // the beginning of a line that is too long, while its end is looked for
	skipped int64  // its bytes dropped from buf
	quiet   bool   // the engine knows that nothing is there
	rest    bool   // resumed behind a last line without an end: only that end may follow
	grew    bool   // more than that followed
}

func (r *lineReader) Read(ctx context.Context, b *Batch[string]) error {
	for {
		r.scan(b)
		if r.grew || r.rest && r.to > r.from {
			return fmt.Errorf("line %d grew after it was read as the last one: start from the beginning, or read a file that is complete", r.at.line)
		}
		if len(b.Records)+len(b.Bad) > 0 {
			break
		}
		if r.ended {
			r.last(b)
			b.Next = r.position(b.Next[:0])
			return io.EOF
		}
		switch err := r.fill(ctx); {
		case errors.Is(err, errQuiet):
			r.quiet, b.AtEnd = true, true
			b.Next = r.position(b.Next[:0])
			return nil
		case err != nil:
			return err
		}
		r.quiet = false
	}
	b.Next = r.position(b.Next[:0])
	return nil
}

// fill reads more bytes behind those there are.
func (r *lineReader) fill(ctx context.Context) error {
	if r.from > 0 {
		r.to = copy(r.buf, r.buf[r.from:r.to])
		r.from = 0
	}
	if r.to > r.max+1 {
		r.drop()
	}
	patience := quietAfter
	if r.quiet {
		patience = 0
	}
	n, err := r.input.read(ctx, r.buf[r.to:], patience)
	r.to += n
	if errors.Is(err, io.EOF) {
		r.ended, err = true, nil
	}
	return err
}

// drop forgets the bytes in the buffer: they belong to a line that is too long.
func (r *lineReader) drop() {
	if r.skipped == 0 {
		r.long = append(r.long[:0], r.buf[r.from:min(r.to, r.from+flow.DeadLetterBytesMax)]...)
	}
	r.skipped += int64(r.to - r.from)
	r.consumed(r.buf[r.from:r.to])
	r.from, r.to = 0, 0
}

// scan takes the complete lines out of the buffer, as many as b holds. They share one string.
func (r *lineReader) scan(b *Batch[string]) {
	r.spans = r.spans[:0]
	lo, pos := r.from, r.from
	for len(r.spans)+len(b.Bad) < cap(b.Records) {
		i := bytes.IndexByte(r.buf[pos:r.to], '\n')
		if i < 0 {
			break
		}
		end := pos + i
		r.line(b, pos, end, end+1)
		pos = end + 1
	}
	r.from = pos
	r.hand(b, lo, pos)
}

// line notes the line buf[from:to], whose end ends at next.
func (r *lineReader) line(b *Batch[string], from, to, next int) {
	if r.rest {
		if from == to || string(r.buf[from:to]) == "\r" {
			r.rest, r.at.open = false, false
			r.at.offset += int64(next - from)
		} else {
			r.grew = true
		}
		return
	}
	r.at.open = next == to
	r.at.line++
	length := r.skipped + int64(to-from)
	if length > int64(r.max)+1 || length == int64(r.max)+1 && r.buf[to-1] != '\r' {
		r.bad(b, r.buf[from:to], length)
	} else {
		if to > from && r.buf[to-1] == '\r' {
			to--
		}
		r.spans = append(r.spans, span{from, to})
	}
	r.at.offset += r.skipped + int64(next-from)
	r.skipped = 0
}

// bad makes the dead letter of the line that ends with end.
func (r *lineReader) bad(b *Batch[string], end []byte, length int64) {
	value := end
	if r.skipped > 0 {
		value = r.long
	}
	value = value[:min(len(value), flow.DeadLetterBytesMax)]
	b.Bad = append(b.Bad, flow.DeadLetter{
		Position: fmt.Sprintf("line %d, byte %d", r.at.line, r.at.offset),
		Reason:   fmt.Sprintf("line of %d bytes, at most %d: raise LinesConfig.MaxLineBytes", length, r.max),
		Value:    bytes.Clone(value),
	})
}

// hand turns the noted spans of buf[lo:hi] into records.
func (r *lineReader) hand(b *Batch[string], lo, hi int) {
	if hi == lo {
		return
	}
	r.consumed(r.buf[lo:hi])
	if len(r.spans) == 0 {
		return
	}
	now := time.Now().UnixNano()
	lo, hi = r.spans[0].from, r.spans[len(r.spans)-1].to
	shared := string(r.buf[lo:hi])
	for _, s := range r.spans {
		b.Records = append(b.Records, flow.Record[string]{TimeNS: now, Value: shared[s.from-lo : s.to-lo]})
	}
}

// last takes the line without an end at the end of the input.
func (r *lineReader) last(b *Batch[string]) {
	if r.to == r.from && r.skipped == 0 || cap(b.Records) == 0 {
		return
	}
	r.spans = r.spans[:0]
	lo, hi := r.from, r.to
	r.from = hi
	r.line(b, lo, hi, hi)
	r.hand(b, lo, hi)
}

func (r *lineReader) Close() error { return r.input.close() }
