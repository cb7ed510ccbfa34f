package sources

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/millrace-io/millrace/flow"
)

func (f *first[T]) bounder() (Bounder[T], bool) {
	b, ok := BounderOf(f.inner)
	return &firstBounder[T]{b, f}, ok
}

// firstBounder plans batches as the wrapped source does. The last batch may end before its until: when the records are
// spent its readers return io.EOF where they are, and Latest says that the split ends there.
type firstBounder[T any] struct {
	inner  Bounder[T]
	source *first[T]
}

func (f *firstBounder[T]) Latest(ctx context.Context, s flow.Split, from flow.Position, most int64) (flow.Position, error) {
	if len(from) == 0 {
		from = s.Start
	}
	at, err := firstFrom(&s, from)
	if err != nil {
		return nil, err
	}
	k := f.source.budget
	k.note(s.ID, at.given)
	if k.spent() {
		return from, io.EOF
	}
	if most > 0 {
		most += at.skip
	}
	until, err := f.inner.Latest(ctx, s, at.inner, most)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.Equal(until, at.inner) {
		return from, err
	}
	return (&firstPosition{given: at.given, inner: until}).append(nil), err
}

func (f *firstBounder[T]) OpenUntil(ctx context.Context, s flow.Split, from, until flow.Position) (Reader[T], error) {
	at, err := firstFrom(&s, from)
	if err != nil {
		return nil, err
	}
	end, err := firstAt(until)
	if err != nil {
		return nil, err
	}
	r, err := f.inner.OpenUntil(ctx, s, at.inner, end.inner)
	return f.source.read(r, err, s, at)
}
