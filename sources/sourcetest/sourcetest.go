// Package sourcetest is the conformance suite of sources: what every source.Source must do, as the engine relies on it.
package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// Case describes the source under test.
type Case[T comparable] struct {
	// New makes a source over the same bounded input each time.
	New func(t *testing.T) sources.Source[T]
	// Want is what each split holds, in order.
	Want map[string][]T
	// Idle makes a source with a split that has nothing to read and does not end, or is nil when there is no such state.
	Idle func(t *testing.T) sources.Source[T]
	// NoAtEnd is set for a source that cannot tell that a split has nothing to read (see sources.Batch.AtEnd).
	NoAtEnd bool
	// Clocked is set for a source whose records become due as time passes. Its batches are planned on a virtual clock.
	Clocked bool
	// OnlyOnce is set for a source that cannot be replayed: nothing is resumed then.
	OnlyOnce bool
}

// Run runs the suite, each promise as a subtest.
func Run[T comparable](t *testing.T, c Case[T]) {
	t.Run("finds its splits once", c.findsSplitsOnce)
	t.Run("gives all in order and ends", c.givesAllInOrder)
	if !c.OnlyOnce {
		t.Run("resumes at every record", c.resumesAtEveryRecord)
		t.Run("ends again when resumed at the end", c.endsAgain)
	}
	t.Run("closes without a read", c.closesWithoutRead)
	t.Run("says whether it can be replayed", c.saysReplayable)
	if c.Idle != nil {
		t.Run("ends a read with its context", c.endsReadWithContext)
		if !c.NoAtEnd {
			t.Run("says once that an empty split is at its end", c.saysAtEndOnce)
		}
	}
	if _, ok := sources.BounderOf(c.New(t)); ok {
		t.Run("gives the same in batches", c.givesTheSameInBatches)
	}
}

func (c Case[T]) findsSplitsOnce(t *testing.T) {
	src := c.New(t)
	if check, ok := src.(sources.Checker); ok {
		if err := check.Check(t.Context()); err != nil {
			t.Fatalf("check: %v", err)
		}
	}
	var ids []string
	for _, s := range splits(t, src, nil) {
		if slices.Contains(ids, s.ID) {
			t.Errorf("split %q twice", s.ID)
		}
		ids = append(ids, s.ID)
		if _, ok := c.Want[s.ID]; !ok {
			t.Errorf("split %q is not wanted", s.ID)
		}
	}
	if len(ids) != len(c.Want) {
		t.Errorf("got splits %q, want %d", ids, len(c.Want))
	}
	if again := splits(t, src, ids); len(again) != 0 {
		t.Errorf("known splits returned again: %+v", again)
	}
}

func (c Case[T]) givesAllInOrder(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	src := c.New(t)
	for _, s := range splits(t, src, nil) {
		r := open(t, src, s, s.Start)
		var got []T
		for {
			b := batch[T](1 + rng.IntN(7))
			err := read(t.Context(), r, b)
			got = append(got, values(t, b)...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("split %q, seed %d: %v", s.ID, seed, err)
			}
		}
		if !slices.Equal(got, c.Want[s.ID]) {
			t.Errorf("split %q, seed %d: %s", s.ID, seed, differ(got, c.Want[s.ID]))
		}
		closeReader(t, r)
	}
}

// resumesAtEveryRecord reads k records one by one, for every k, and the rest through a new source from the position then.
func (c Case[T]) resumesAtEveryRecord(t *testing.T) {
	src := c.New(t)
	for _, s := range splits(t, src, nil) {
		r := open(t, src, s, s.Start)
		want := c.Want[s.ID]
		for k := 0; ; {
			b := batch[T](1)
			err := read(t.Context(), r, b)
			k += len(values(t, b))
			if k > len(want) {
				t.Fatalf("split %q: more than %d records", s.ID, len(want))
			}
			resumed := c.New(t)
			rest := readAll(t, resumed, s, slices.Clone(b.Next))
			if !slices.Equal(rest, want[k:]) {
				t.Fatalf("split %q resumed behind %d records: %s", s.ID, k, differ(rest, want[k:]))
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("split %q: %v", s.ID, err)
			}
		}
		closeReader(t, r)
	}
}

func (c Case[T]) endsAgain(t *testing.T) {
	src := c.New(t)
	for _, s := range splits(t, src, nil) {
		r := open(t, src, s, s.Start)
		end := drain(t, r)
		closeReader(t, r)
		r = open(t, c.New(t), s, end)
		b := batch[T](4)
		if err := read(t.Context(), r, b); !errors.Is(err, io.EOF) || len(b.Records) != 0 {
			t.Errorf("split %q resumed at its end: %d records, error %v; want none and io.EOF", s.ID, len(b.Records), err)
		}
		closeReader(t, r)
	}
}

func (c Case[T]) closesWithoutRead(t *testing.T) {
	src := c.New(t)
	for _, s := range splits(t, src, nil) {
		closeReader(t, open(t, src, s, s.Start))
	}
}

func (c Case[T]) saysReplayable(t *testing.T) {
	if got := sources.CanReplay(c.New(t)); got == c.OnlyOnce {
		t.Errorf("can be replayed: %v", got)
	}
}

func (c Case[T]) endsReadWithContext(t *testing.T) {
	src := c.Idle(t)
	for _, s := range splits(t, src, nil) {
		r := open(t, src, s, s.Start)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			err := read(ctx, r, batch[T](4))
			if err == nil { // it said that it is at its end
				err = read(ctx, r, batch[T](4))
			}
			done <- err
		}()
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("split %q: read ended with %v, want context.Canceled", s.ID, err)
			}
		case <-time.After(waitMax):
			t.Fatalf("split %q: read still runs %v after its context ended", s.ID, waitMax)
		}
		closeReader(t, r)
	}
}

// saysAtEndOnce: the batch that says so has no records and a position that works; the next Read blocks.
func (c Case[T]) saysAtEndOnce(t *testing.T) {
	src := c.Idle(t)
	for _, s := range splits(t, src, nil) {
		r := open(t, src, s, s.Start)
		b := batch[T](4)
		first, stop := context.WithTimeout(t.Context(), waitMax)
		err := read(first, r, b)
		stop()
		if err != nil || !b.AtEnd || len(b.Records) > 0 {
			t.Fatalf("split %q is empty: got %d records, at end %v, error %v", s.ID, len(b.Records), b.AtEnd, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), blocksFor)
		again := batch[T](4)
		if err := read(ctx, r, again); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("split %q: the next read did not block: %d records, at end %v, error %v", s.ID, len(again.Records), again.AtEnd, err)
		}
		cancel()
		closeReader(t, r)
		if !c.OnlyOnce {
			closeReader(t, open(t, src, s, b.Next))
		}
	}
}

// waitMax is how long something that should happen at once may take on a loaded machine; blocksFor is how long a read
// that should block is watched.
const (
	waitMax   = 10 * time.Second
	blocksFor = 150 * time.Millisecond
)

func splits[T any](t *testing.T, src sources.Source[T], known []string) []flow.Split {
	t.Helper()
	found, err := src.Splits(t.Context(), known)
	if err != nil {
		t.Fatalf("splits: %v", err)
	}
	return found
}

func open[T any](t *testing.T, src sources.Source[T], s flow.Split, from flow.Position) sources.Reader[T] {
	t.Helper()
	r, err := src.Open(t.Context(), s, from)
	if err != nil {
		t.Fatalf("open split %q: %v", s.ID, err)
	}
	return r
}

func closeReader[T any](t *testing.T, r sources.Reader[T]) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func batch[T any](n int) *sources.Batch[T] {
	return &sources.Batch[T]{Records: make([]flow.Record[T], 0, n)}
}

// read is one Read; a reader that can be polled is polled, as the engine does, with the clock set to when it asked to be.
func read[T any](ctx context.Context, r sources.Reader[T], b *sources.Batch[T]) error {
	p, ok := r.(sources.Poller[T])
	if !ok {
		return r.Read(ctx, b)
	}
	now := time.Now().UnixNano()
	for {
		b.AtEnd = false
		wake, err := p.Poll(now, b)
		if b.AtEnd && wake <= now {
			return fmt.Errorf("poller is at its end at %d and asks to be called again at %d", now, wake)
		}
		if err != nil || len(b.Records) > 0 || len(b.Bad) > 0 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		now = max(wake, now+1)
	}
}

func values[T any](t *testing.T, b *sources.Batch[T]) []T {
	t.Helper()
	if len(b.Bad) > 0 {
		t.Fatalf("dead letter: %+v", b.Bad[0])
	}
	vs := make([]T, len(b.Records))
	for i, rec := range b.Records {
		if rec.TimeNS == 0 {
			t.Errorf("record %v has no time", rec.Value)
		}
		vs[i] = rec.Value
	}
	return vs
}

// drain reads r to its end and returns the position there.
func drain[T any](t *testing.T, r sources.Reader[T]) flow.Position {
	t.Helper()
	for {
		b := batch[T](16)
		err := read(t.Context(), r, b)
		if errors.Is(err, io.EOF) {
			return b.Next
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readAll[T any](t *testing.T, src sources.Source[T], s flow.Split, from flow.Position) []T {
	t.Helper()
	r := open(t, src, s, from)
	defer closeReader(t, r)
	var got []T
	for {
		b := batch[T](16)
		err := read(t.Context(), r, b)
		got = append(got, values(t, b)...)
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatalf("read split %q: %v", s.ID, err)
		}
	}
}

// differ says where two sequences part.
func differ[T comparable](got, want []T) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("record %d of %d is %v, want %v of %d", i, len(got), got[i], want[i], len(want))
		}
	}
	return fmt.Sprintf("got %d records, want %d", len(got), len(want))
}
