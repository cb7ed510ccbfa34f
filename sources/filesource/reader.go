package filesource

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// reader reads the directory, one file after the other.
type reader[T any] struct {
	*source[T]
	at    position
	base  flow.Position // what at.appendRead gives
	queue []entry       // listed and not begun
	until flow.Position // where a batch ends; nil when there is no end

	file    *file
	content content[T] // of file; nil between two files
	buf     *bufio.Reader

	listed   bool
	listedAt time.Time
	moved    bool // the position did, since the engine was told
	quiet    bool // the engine knows that nothing is there
}

// Read implements sources.Reader.
func (r *reader[T]) Read(ctx context.Context, b *sources.Batch[T]) error {
	err := r.read(ctx, b)
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF itself is the end of the split
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("file source: %w", err)
	}
	if err == io.EOF && r.until != nil { //nolint:errorlint // as above
		b.Next = append(b.Next[:0], r.until...)
		return err
	}
	r.moved = false
	b.Next = append(b.Next[:0], r.base...)
	b.Next = r.at.appendRest(b.Next)
	return err
}

func (r *reader[T]) read(ctx context.Context, b *sources.Batch[T]) error {
	for len(b.Records)+len(b.Bad) < cap(b.Records) {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case r.content != nil:
			if err := r.fill(b); err != nil {
				return err
			}
		case len(r.queue) > 0:
			r.quiet = false
			if err := r.begin(b); err != nil {
				return err
			}
		case r.until != nil || r.cfg.Once && r.listed:
			return io.EOF
		case len(b.Records)+len(b.Bad) > 0 || r.moved:
			return nil
		default:
			if done, err := r.look(ctx, b); done || err != nil {
				return err
			}
		}
	}
	return nil
}

// look lists the directory when it is time. It is done when that must be told: there is nothing.
func (r *reader[T]) look(ctx context.Context, b *sources.Batch[T]) (done bool, err error) {
	if r.listed {
		if err := sleep(ctx, time.Until(r.listedAt.Add(r.cfg.PollEvery))); err != nil {
			return false, err
		}
	}
	r.queue, err = r.list(&r.at)
	r.listed, r.listedAt = true, time.Now()
	r.base = r.at.appendRead(r.base[:0])
	if err != nil || len(r.queue) > 0 || r.cfg.Once || r.quiet {
		return false, err
	}
	r.quiet, b.AtEnd = true, true
	return true, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin opens the next file, or reports what is wrong with it.
func (r *reader[T]) begin(b *sources.Batch[T]) error {
	e := r.queue[0]
	r.queue = r.queue[1:]
	if e.kind != fresh {
		b.Bad = append(b.Bad, (&file{entry: e}).letter(0, nil, r.complaint(e)))
		r.finish(e)
		return nil
	}
	f, info, err := r.open(e)
	if err != nil {
		return err
	}
	size, modNS := info.Size(), info.ModTime().UnixNano()
	if size < e.size || r.until != nil && (size != e.size || modNS != e.modNS) {
		f.Close()
		return fmt.Errorf("file %q had %d bytes when it was found and has %d, or was changed, before it was read: files must appear complete, by rename",
			e.name, e.size, size)
	}
	e.size, e.modNS = size, modNS
	r.at.file, r.at.offset = e, 0
	return r.use(f)
}

func (r *reader[T]) complaint(e entry) string {
	if e.kind == changed {
		return "the file was changed or replaced after it was read; its new content is not read: give new content a new name"
	}
	return fmt.Sprintf("the file was last modified at %v, more than %v before the newest that was read, and is not read: set its modification time, or raise Config.MaxAge",
		timeOf(e.modNS), r.cfg.MaxAge)
}

// resume opens the file that the position is in.
func (r *reader[T]) resume() error {
	e := r.at.file
	f, info, err := r.open(e)
	if err != nil {
		return err
	}
	if info.Size() != e.size || info.ModTime().UnixNano() != e.modNS || r.at.offset > e.size {
		f.Close()
		return fmt.Errorf("file %q was changed while it was read: it had %d bytes, %d of them read, and has %d: files must appear complete, by rename",
			e.name, e.size, r.at.offset, info.Size())
	}
	return r.use(f)
}

func (r *reader[T]) open(e entry) (*os.File, os.FileInfo, error) {
	f, err := os.Open(filepath.Join(r.cfg.Dir, e.name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("file %q vanished before it was read: put it back, and remove files only after they are read: %w", e.name, err)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
	}
	return f, info, err
}

func (r *reader[T]) use(f *os.File) (err error) {
	r.file = &file{File: f, entry: r.at.file, recordMax: r.cfg.MaxRecordBytes}
	if r.content, err = r.format.open(r.file, r.at.offset, r.buf); err != nil {
		r.content = nil
		f.Close()
		return fmt.Errorf("file %q: %w", r.file.name, err)
	}
	return nil
}

// fill reads from the file in hand, and is finished with it at its end.
func (r *reader[T]) fill(b *sources.Batch[T]) error {
	n := len(b.Records)
	err := r.content.fill(b)
	for i := n; i < len(b.Records); i++ {
		b.Records[i].TimeNS = r.file.modNS
	}
	r.at.offset = r.content.offset()
	if err == nil {
		return nil
	}
	e := r.file.entry
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("file %q at byte %d: %w", e.name, r.at.offset, err)
	}
	if r.at.offset < e.size {
		return fmt.Errorf("file %q shrank while it was read, from %d bytes to %d: files must appear complete, by rename", e.name, e.size, r.at.offset)
	}
	r.content = nil
	r.finish(e)
	return r.file.Close()
}

func (r *reader[T]) finish(e entry) {
	r.at.finish(e)
	r.at.file, r.at.offset = entry{}, 0
	r.base = r.at.appendRead(r.base[:0])
	r.moved = true
}

// Close implements sources.Reader.
func (r *reader[T]) Close() error {
	if r.content == nil {
		return nil
	}
	r.content = nil
	return r.file.Close()
}

func timeOf(ns int64) time.Time { return time.Unix(0, ns).UTC() }
