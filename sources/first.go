package sources

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// First ends src after exactly n records over all its splits, also when the job is restarted in between: a split's
// position carries how many records it gave, and after a restart nothing is read before all splits that were known are
// open again and their counts added up. All tasks of the source must be in one process.
func First[T any](src Source[T], n int64) Source[T] {
	return &first[T]{wrapped[T]{src}, newBudget(n)}
}

type first[T any] struct {
	wrapped[T]
	budget *budget
}

// DiscoverEveryNS implements Discoverer: no split is looked for while running, or the engine would wait for more of them when
// all have ended.
func (f *first[T]) DiscoverEveryNS() int64 { return 0 }

func (f *first[T]) Check(ctx context.Context) error {
	if f.budget.total < 0 {
		return fmt.Errorf("first: count %d is negative", f.budget.total)
	}
	return f.wrapped.Check(ctx)
}

func (f *first[T]) Splits(ctx context.Context, known []string) ([]flow.Split, error) {
	found, err := f.inner.Splits(ctx, known)
	if err != nil {
		return nil, err
	}
	f.budget.expect(known, found)
	wrapping := make([]flow.Split, len(found))
	for i, s := range found {
		wrapping[i] = flow.Split{ID: s.ID, Start: (&firstPosition{inner: s.Start}).append(nil)}
	}
	return wrapping, nil
}

func (f *first[T]) Open(ctx context.Context, s flow.Split, from flow.Position) (Reader[T], error) {
	at, err := firstFrom(&s, from)
	if err != nil {
		return nil, err
	}
	r, err := f.inner.Open(ctx, s, at.inner)
	return f.read(r, err, s, at)
}

// EndedAt implements EndNoter: what a split gave counts also when it is not read any more.
func (f *first[T]) EndedAt(s flow.Split, from flow.Position) error {
	at, err := firstFrom(&s, from)
	if err != nil {
		return err
	}
	f.budget.note(s.ID, at.given)
	return f.wrapped.EndedAt(s, at.inner)
}

// firstFrom takes the position from apart, and makes s the split that the wrapped source knows.
func firstFrom(s *flow.Split, from flow.Position) (firstPosition, error) {
	if len(from) == 0 {
		from = s.Start
	}
	at, err := firstAt(from)
	if err != nil {
		return at, fmt.Errorf("first, split %q: %w", s.ID, err)
	}
	if len(s.Start) > 0 {
		start, err := firstAt(s.Start)
		if err != nil {
			return at, fmt.Errorf("first, split %q: %w", s.ID, err)
		}
		s.Start = start.inner
	}
	return at, nil
}

// read makes the reader of a split out of the wrapped one.
func (f *first[T]) read(r Reader[T], err error, s flow.Split, at firstPosition) (Reader[T], error) {
	if err != nil {
		return nil, err
	}
	f.budget.open(s.ID, at.given)
	fr := firstReader[T]{Reader: r, budget: f.budget, split: s.ID, at: at}
	fr.at.inner = append(flow.Position(nil), at.inner...)
	if p, ok := r.(Poller[T]); ok {
		return &firstPoller[T]{fr, p}, nil
	}
	return &fr, nil
}

// firstPosition is a split's position: where the wrapped reader resumes, how many records to leave out there because
// they were given already, and how many the split gave in all.
type firstPosition struct {
	given, skip int64
	inner       flow.Position
}

func (p *firstPosition) append(dst flow.Position) flow.Position {
	dst = binary.AppendVarint(dst, p.given)
	dst = binary.AppendVarint(dst, p.skip)
	return append(dst, p.inner...)
}

func firstAt(p flow.Position) (firstPosition, error) {
	f := fields{rest: p}
	at := firstPosition{given: f.int(), skip: f.int()}
	if f.bad || at.given < 0 || at.skip < 0 {
		return at, fmt.Errorf("position %x is damaged, or was not made by First", []byte(p))
	}
	at.inner = f.rest
	return at, nil
}

// settle cuts what the wrapped reader gave to what the split may give, and sets b.Next. inner is the wrapped reader's error.
func (r *firstReader[T]) settle(b *Batch[T], inner error) error {
	if inner != nil && inner != io.EOF { //nolint:errorlint // a broken connection may wrap io.EOF; the end of a split is io.EOF itself
		return inner
	}
	if s := min(r.at.skip, int64(len(b.Records))); s > 0 {
		n := copy(b.Records, b.Records[s:])
		clear(b.Records[n:])
		b.Records = b.Records[:n]
		r.at.skip -= s
		r.left += s
	}
	n := int64(len(b.Records))
	got := r.budget.claim(r.split, n)
	r.at.given += got
	if got == n {
		if len(b.Next) > 0 {
			r.at.inner, r.left = append(r.at.inner[:0], b.Next...), 0
		}
		b.Next = r.position(b.Next[:0])
		return r.end(inner)
	}
	// The wrapped position is behind the whole batch. Stay before it and remember how much of it was given: another split
	// may turn out, after a restart, to have given less than it has now.
	clear(b.Records[got:])
	b.Records = b.Records[:got]
	r.left += got
	b.Next = r.position(b.Next[:0])
	return io.EOF
}

func (r *firstReader[T]) position(dst flow.Position) flow.Position {
	at := firstPosition{given: r.at.given, skip: r.at.skip + r.left, inner: r.at.inner}
	return at.append(dst)
}

func (r *firstReader[T]) end(inner error) error {
	if r.budget.spent() {
		return io.EOF
	}
	return inner
}

type firstReader[T any] struct {
	Reader[T]
	budget *budget
	split  string
	at     firstPosition
	left   int64 // records behind at.inner that were given or left out already

	parent context.Context // of the last Read
	ctx    context.Context // parent, ended also when the budget is spent
	cancel context.CancelFunc
}

// Read ends also when the other splits have spent the budget.
func (r *firstReader[T]) Read(ctx context.Context, b *Batch[T]) error {
	if err := r.budget.wait(ctx); err != nil {
		return err
	}
	if r.budget.spent() {
		b.Next = r.position(b.Next[:0])
		return io.EOF
	}
	if ctx != r.parent {
		r.release()
		r.parent = ctx
		r.ctx, r.cancel = context.WithCancel(ctx)
		cancel := r.cancel
		stop := context.AfterFunc(r.budget.end(), cancel)
		r.cancel = func() { stop(); cancel() }
	}
	err := r.Reader.Read(r.ctx, b)
	if err != nil && r.budget.spent() && ctx.Err() == nil {
		b.Reset()
		b.Next = r.position(b.Next[:0])
		return io.EOF
	}
	return r.settle(b, err)
}

func (r *firstReader[T]) release() {
	if r.cancel != nil {
		r.cancel()
	}
}

func (r *firstReader[T]) Close() error {
	r.release()
	r.budget.close(r.split)
	return r.Reader.Close()
}

type firstPoller[T any] struct {
	firstReader[T]
	poller Poller[T]
}

// openPollNS is the time between two looks whether the other splits are open.
const openPollNS = int64(time.Millisecond)

// Poll implements Poller.
func (r *firstPoller[T]) Poll(nowNS int64, b *Batch[T]) (int64, error) {
	b.Next = r.position(b.Next[:0])
	if !r.budget.ready() {
		return nowNS + openPollNS, nil
	}
	if r.budget.spent() {
		return 0, io.EOF
	}
	wake, err := r.poller.Poll(nowNS, b)
	return wake, r.settle(b, err)
}

func (r *firstPoller[T]) Read(ctx context.Context, b *Batch[T]) error { return readPolled(ctx, r, b) }
