package sources

import "github.com/millrace-io/millrace/flow"

// Orderer is a Bounder that knows which of two positions of a split comes first. A trigger that reads up to the ends taken at
// its start, in batches of limited size, needs it: of a Bounder that does not know, it reads all in one batch.
type Orderer interface {
	// Before says whether position a of split s comes before b.
	Before(s flow.Split, a, b flow.Position) (bool, error)
}

// Limiter is a Bounder that limits its batches by itself. A trigger that takes all there is asks for one that does not.
type Limiter[T any] interface {
	// Unlimited is the Bounder without limits of its own. The positions are the same.
	Unlimited() Bounder[T]
}

// Unlimited is b without limits of its own.
func Unlimited[T any](b Bounder[T]) Bounder[T] {
	if l, ok := b.(Limiter[T]); ok {
		return l.Unlimited()
	}
	return b
}

// Unlimited implements Limiter.
func (f *firstBounder[T]) Unlimited() Bounder[T] {
	return &firstBounder[T]{Unlimited(f.inner), f.source}
}

// Unlimited implements Limiter.
func (t *throttledBounder[T]) Unlimited() Bounder[T] {
	return &throttledBounder[T]{Unlimited(t.Bounder), t.source}
}

// Before implements Orderer.
func (s *slice[T]) Before(_ flow.Split, a, b flow.Position) (bool, error) {
	return indexBefore("slice", a, b)
}

// Before implements Orderer.
func (s *sequence[T]) Before(_ flow.Split, a, b flow.Position) (bool, error) {
	return indexBefore("sequence", a, b)
}

func indexBefore(what string, a, b flow.Position) (bool, error) {
	i, err := indexAt(what, a)
	if err != nil {
		return false, err
	}
	j, err := indexAt(what, b)
	return i < j, err
}

// Before implements Orderer.
func (g *generator[T]) Before(s flow.Split, a, b flow.Position) (bool, error) {
	i, err := g.at(s, a)
	if err != nil {
		return false, err
	}
	j, err := g.at(s, b)
	return i.next < j.next, err
}

// Before implements Orderer.
func (l linesBounder) Before(_ flow.Split, a, b flow.Position) (bool, error) {
	i, err := linesAt(a)
	if err != nil {
		return false, err
	}
	j, err := linesAt(b)
	return i.offset < j.offset, err
}

// OrdererOf is b's knowledge of the order of positions, if it has it. A wrapper has it only when what it wraps does.
func OrdererOf[T any](b Bounder[T]) (Orderer, bool) {
	if w, ok := b.(interface{ orderer() (Orderer, bool) }); ok {
		return w.orderer()
	}
	o, ok := b.(Orderer)
	return o, ok
}

func (t *throttledBounder[T]) orderer() (Orderer, bool) { return OrdererOf(t.Bounder) }

func (f *firstBounder[T]) orderer() (Orderer, bool) {
	o, ok := OrdererOf(f.inner)
	return firstOrderer{o}, ok
}

// firstOrderer takes the wrapped source's positions out of First's.
type firstOrderer struct{ inner Orderer }

func (f firstOrderer) Before(s flow.Split, a, b flow.Position) (bool, error) {
	at, err := firstFrom(&s, a)
	if err != nil {
		return false, err
	}
	end, err := firstAt(b)
	if err != nil {
		return false, err
	}
	return f.inner.Before(s, at.inner, end.inner)
}
