package sourcetest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// givesTheSameInBatches reads each split in batches of random limits, then of none, each broken off within and read again.
func (c Case[T]) givesTheSameInBatches(t *testing.T) {
	if c.Clocked {
		synctest.Test(t, c.inBatches)
		return
	}
	c.inBatches(t)
}

func (c Case[T]) inBatches(t *testing.T) {
	for _, seed := range []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()} {
		rng := rand.New(rand.NewPCG(seed, 7))
		for _, s := range splits(t, c.New(t), nil) {
			w := walk[T]{c, s, rng, seed}
			for _, most := range []int64{6, 1} {
				if got := w.toTheEnd(t, most); !slices.Equal(got, c.Want[s.ID]) {
					t.Errorf("split %q, seed %d, in batches: %s", s.ID, seed, differ(got, c.Want[s.ID]))
				}
			}
		}
	}
}

// walk reads one split in batches.
type walk[T comparable] struct {
	Case[T]
	split flow.Split
	rng   *rand.Rand
	seed  uint64
}

func (w walk[T]) bounder(t *testing.T) sources.Bounder[T] {
	b, _ := sources.BounderOf(w.New(t))
	return b
}

// toTheEnd reads batches of fewer than most records; without a limit when that is 0.
func (w walk[T]) toTheEnd(t *testing.T, most int64) (got []T) {
	t.Helper()
	src := w.bounder(t)
	at := w.split.Start
	for {
		until, err := src.Latest(t.Context(), w.split, slices.Clone(at), w.rng.Int64N(most))
		if err != nil && err != io.EOF { //nolint:errorlint // wrapped, it is no end to the engine
			t.Fatalf("split %q, seed %d, latest behind %d records: %v", w.split.ID, w.seed, len(got), err)
		}
		if bytes.Equal(until, at) {
			if err == nil && w.Clocked {
				time.Sleep(time.Duration(1 + w.rng.Int64N(2e9))) // of the bubble's clock
				continue
			}
			return got
		}
		w.ordered(t, src, at, until)
		first, next := w.readUntil(t, at, until, true)
		again, _ := w.readUntil(t, at, until, false)
		if !slices.Equal(first, again) {
			t.Fatalf("split %q, seed %d: a batch read twice: %s", w.split.ID, w.seed, differ(again, first))
		}
		got, at = append(got, first...), next
	}
}

// ordered checks a batch's ends, if the source knows the order of positions.
func (w walk[T]) ordered(t *testing.T, src sources.Bounder[T], from, until flow.Position) {
	t.Helper()
	o, ok := sources.OrdererOf(src)
	if !ok {
		return
	}
	ahead, err := o.Before(w.split, from, until)
	behind, also := o.Before(w.split, until, from)
	if err = errors.Join(err, also); err != nil || !ahead || behind {
		t.Fatalf("split %q, seed %d: a batch from %x to %x: before its end %t, its end before it %t, error %v", w.split.ID, w.seed, from, until, ahead, behind, err)
	}
}

// readUntil reads one batch with sources of its own; broken off now and then and resumed where it was, if it may be.
func (w walk[T]) readUntil(t *testing.T, from, until flow.Position, breaks bool) (got []T, next flow.Position) {
	t.Helper()
	for {
		r, err := w.bounder(t).OpenUntil(t.Context(), w.split, from, until)
		if err != nil {
			t.Fatalf("split %q, seed %d, open %x until %x: %v", w.split.ID, w.seed, from, until, err)
		}
		for broken := false; !broken; broken = breaks && w.rng.IntN(3) == 0 {
			b := batch[T](1 + w.rng.IntN(4))
			err := read(t.Context(), r, b)
			got = append(got, values(t, b)...)
			from = slices.Clone(b.Next)
			if errors.Is(err, io.EOF) {
				closeReader(t, r)
				return got, from
			}
			if err != nil {
				t.Fatalf("split %q, seed %d, batch until %x: %v", w.split.ID, w.seed, until, err)
			}
		}
		closeReader(t, r)
	}
}
