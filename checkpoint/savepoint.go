package checkpoint

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/flow"
)

// savepointName is the object that makes a store a savepoint: the record of its epoch. It is written last.
const savepointName = "savepoint"

// savepoint is one that was opened.
type savepoint struct {
	record *record
	sum    digest // of the object
}

// Pin keeps the files of a complete epoch from being deleted until Release.
type Pin struct {
	l      *Log
	record *record
}

// Pin pins the newest complete epoch. Between the return of Complete and the next call it is that of Complete.
func (l *Log) Pin() (*Pin, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, errClosed
	case l.chain.newest == nil:
		return nil, errors.New("no epoch is complete yet")
	}
	p := &Pin{l, l.chain.newest}
	l.pins[p] = true
	return p, nil
}

// Epoch is the pinned epoch.
func (p *Pin) Epoch() flow.Epoch { return p.record.epoch }

// Release lets the files go. It does no I/O.
func (p *Pin) Release() {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	delete(p.l.pins, p)
}

// Copy makes a savepoint of the epoch in to, which must be empty: the runs, slots that hold one included, linked where to is a Linker that
// can, and then the record.
// Every byte is read once more where it is now and checked. Without the record, after an error, to is no savepoint.
func (p *Pin) Copy(ctx context.Context, to Store) error {
	for _, r := range p.record.runs {
		if err := p.copyRun(ctx, r, to); err != nil {
			return fmt.Errorf("savepoint of job %q at epoch %d: %w", p.record.job, p.record.epoch, err)
		}
	}
	data := seal(savepointMagic, p.record.payload())
	if err := to.Create(ctx, savepointName, func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		return fmt.Errorf("savepoint of job %q at epoch %d: %w", p.record.job, p.record.epoch, err)
	}
	return nil
}

func (p *Pin) copyRun(ctx context.Context, r run, to Store) error {
	err := errors.ErrUnsupported
	if l, ok := to.(Linker); ok {
		err = l.Link(ctx, p.l.o.Store, r.name)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = copyObject(ctx, p.l.o.Store, to, r)
	}
	if err != nil {
		return err
	}
	return checkRun(ctx, to, p.record.lineage, r)
}

func copyObject(ctx context.Context, from, to Store, r run) (err error) {
	o, err := from.Open(ctx, r.name)
	if err != nil {
		return r.explain(err)
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if err := checkSpace(to, o.Size()); err != nil {
		return err
	}
	return to.Create(ctx, r.name, func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(o, 0, o.Size()))
		return err
	})
}

// checkRun reads a run and checks all there is to check.
func checkRun(ctx context.Context, s Store, lineage string, r run) (err error) {
	rd, err := openRun(ctx, s, lineage, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.Close()) }()
	for ctx.Err() == nil {
		if err := rd.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// openSavepoint reads the record of a savepoint and checks that its runs are there.
func openSavepoint(ctx context.Context, s Store) (*savepoint, error) {
	data, err := readSmall(ctx, s, savepointName)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w; it is no savepoint, or one that was not finished", err)
	}
	var r *record
	if err == nil {
		r, err = decodeRecordAs(savepointMagic, data)
	}
	if err != nil {
		return nil, fmt.Errorf("file %q of the savepoint: %w", savepointName, err)
	}
	if r.kind != epochRecord {
		return nil, fmt.Errorf("file %q of the savepoint: %w: not the record of an epoch", savepointName, ErrDamaged)
	}
	for _, f := range r.runs {
		if err := haveRun(ctx, source{store: s, lineage: r.lineage}, f); err != nil {
			return nil, fmt.Errorf("savepoint of job %q at epoch %d: %w", r.job, r.epoch, f.explain(err))
		}
	}
	return &savepoint{r, sha256.Sum256(data)}, nil
}
