// Package sinktest is the conformance suite of sinks: what every sinks.Sink must do, as the engine relies on it.
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// Case describes the sink under test. The suite writes rising values made by Value.
type Case[T comparable] struct {
	// New makes an empty sink and a way to see what is safe in it, in order for each task. Seen is nil for a sink that
	// keeps nothing; it is called after a Flush, and after Finish when Finish publishes.
	New func(t *testing.T) (sink sinks.Sink[T], seen func(t *testing.T) []T)
	// Value is the i-th value written.
	Value func(i int) T
	// Finishes is set when the output is seen only after Finish.
	Finishes bool
}

// Run runs the suite, each promise as a subtest.
func Run[T comparable](t *testing.T, c Case[T]) {
	t.Run("keeps what was flushed, in order", c.keepsFlushed)
	t.Run("takes empty batches and empty flushes", c.takesNothing)
	t.Run("closes without a write", c.closesWithoutWrite)
	t.Run("closes with writes not flushed", c.closesUnflushed)
	t.Run("flushes again and again", c.flushesOften)
	t.Run("opens for every task and attempt", c.opensOften)
}

// At is the instance the suite opens writers for.
func At(task, tasks int, attempt flow.Attempt) sinks.Instance {
	return sinks.Instance{Job: "job", Lineage: "lineage", Operator: "sink", Task: task, Tasks: tasks, Attempt: attempt}
}

func (c Case[T]) open(t *testing.T, sink sinks.Sink[T], at sinks.Instance) sinks.Writer[T] {
	t.Helper()
	if check, ok := sink.(sinks.Checker); ok {
		if err := check.Check(t.Context()); err != nil {
			t.Fatalf("check: %v", err)
		}
	}
	w, err := sink.Open(t.Context(), at)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return w
}

// write writes the values [from, to) in batches of random sizes, and overwrites each batch afterwards: it was the
// writer's during the call only.
func (c Case[T]) write(t *testing.T, rng *rand.Rand, w sinks.Writer[T], from, to int) {
	t.Helper()
	b := &flow.Batch[T]{}
	for from < to {
		n := min(1+rng.IntN(9), to-from)
		b.Reset()
		for i := range n {
			b.Records = append(b.Records, flow.Record[T]{TimeNS: int64(from+i) + 1, Value: c.Value(from + i)})
		}
		if err := w.Write(t.Context(), b); err != nil {
			t.Fatalf("write: %v", err)
		}
		for i := range b.Records {
			b.Records[i] = flow.Record[T]{Value: c.Value(-1)}
		}
		from += n
	}
}

func (c Case[T]) finish(t *testing.T, w sinks.Writer[T]) {
	t.Helper()
	if err := w.Flush(t.Context()); err != nil {
		t.Fatalf("flush: %v", err)
	}
	if f, ok := w.(sinks.Finisher); ok {
		if err := f.Finish(t.Context()); err != nil {
			t.Fatalf("finish: %v", err)
		}
	}
}

func (c Case[T]) want(t *testing.T, what string, seen func(t *testing.T) []T, n int) {
	t.Helper()
	if seen == nil {
		return
	}
	got := seen(t)
	want := make([]T, n)
	for i := range want {
		want[i] = c.Value(i)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %s", what, differ(got, want))
	}
}

func (c Case[T]) keepsFlushed(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	sink, seen := c.New(t)
	w := c.open(t, sink, At(0, 1, 1))
	c.write(t, rng, w, 0, 100)
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !c.Finishes {
		c.want(t, fmt.Sprintf("seed %d, after a flush", seed), seen, 100)
	}
	c.write(t, rng, w, 100, 250)
	c.finish(t, w)
	c.want(t, fmt.Sprintf("seed %d, at the end", seed), seen, 250)
	c.close(t, w)
	c.want(t, fmt.Sprintf("seed %d, closed", seed), seen, 250)
}

func (c Case[T]) takesNothing(t *testing.T) {
	sink, seen := c.New(t)
	w := c.open(t, sink, At(0, 1, 1))
	if err := w.Write(t.Context(), &flow.Batch[T]{}); err != nil {
		t.Errorf("write of nothing: %v", err)
	}
	c.finish(t, w)
	c.want(t, "nothing written", seen, 0)
	c.close(t, w)
}

func (c Case[T]) closesWithoutWrite(t *testing.T) {
	sink, _ := c.New(t)
	c.close(t, c.open(t, sink, At(0, 1, 1)))
}

func (c Case[T]) closesUnflushed(t *testing.T) {
	sink, _ := c.New(t)
	w := c.open(t, sink, At(0, 1, 1))
	c.write(t, rand.New(rand.NewPCG(1, 1)), w, 0, 20)
	// What was written may be there or not; closing must only end, also when the job's context has.
	if err := w.Close(); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
}

func (c Case[T]) flushesOften(t *testing.T) {
	sink, seen := c.New(t)
	w := c.open(t, sink, At(0, 1, 1))
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range 20 {
		c.write(t, rng, w, i, i+1)
		for range 2 {
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !c.Finishes {
			c.want(t, fmt.Sprintf("after flush %d", i), seen, i+1)
		}
	}
	c.finish(t, w)
	c.want(t, "at the end", seen, 20)
	c.close(t, w)
}

// opensOften writes with one attempt and goes on with the next, as after a failure right behind an epoch.
func (c Case[T]) opensOften(t *testing.T) {
	sink, seen := c.New(t)
	rng := rand.New(rand.NewPCG(3, 3))
	const attempts, each = 4, 10
	for a := range attempts {
		w := c.open(t, sink, At(0, 1, flow.Attempt(a+1)))
		c.write(t, rng, w, a*each, (a+1)*each)
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a == attempts-1 {
			c.finish(t, w)
		}
		c.close(t, w)
	}
	c.want(t, "over attempts", seen, attempts*each)
}

func (c Case[T]) close(t *testing.T, w sinks.Writer[T]) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// differ says where two sequences part.
func differ[T comparable](got, want []T) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%v as record %d of %d, want %v", got[i], i, len(got), want[i])
		}
	}
	return fmt.Sprintf("%d records, want %d", len(got), len(want))
}
