package millrace

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
)

// Dedup passes the first record of each key and filters the others. The key must contain the event time: two records of one key
// with two event times fail the job. A key is forgotten when the watermark has passed its time; a record that comes behind the
// watermark is late, and never taken for a new one. The stream needs a watermark.
func (k Keyed[K, T]) Dedup(id string) Stream[T] {
	return dedup(k, "Dedup", "dedup", id, true, func(tb *taskBuild, sides map[string]any, next func(T)) (func(T), error) {
		return operators.Dedup(tb.task.Env, id, k.key, sides, next)
	})
}

// DedupWithin passes the first record of each key and filters those that come while it is remembered, which is until the watermark
// reaches its event time plus d: of records that are less than d apart the first to come passes. The stream needs a watermark.
func (k Keyed[K, T]) DedupWithin(id string, d time.Duration) Stream[T] {
	if d <= 0 {
		k.s.job.fault(fmt.Errorf("operator %q: dedup within %v, want more than 0", id, d))
	}
	return dedup(k, "DedupWithin", "dedup-within", id, true, func(tb *taskBuild, sides map[string]any, next func(T)) (func(T), error) {
		return operators.DedupWithin(tb.task.Env, id, d, k.key, sides, next)
	})
}

// DedupTTL passes the first record of each key and filters those that come within ttl of processing time after it; with
// state.Forever all of them. It needs no watermark.
func (k Keyed[K, T]) DedupTTL(id string, ttl time.Duration) Stream[T] {
	if ttl < 0 {
		k.s.job.fault(fmt.Errorf("operator %q: time to live is %v, want at least 0 (state.Forever keeps keys)", id, ttl))
	}
	out := dedup(k, "DedupTTL", "dedup-ttl", id, false, func(tb *taskBuild, _ map[string]any, next func(T)) (func(T), error) {
		return operators.DedupTTL(tb.task.Env, id, ttl, k.key, next)
	})
	out.out.step.sides = nil // no record is late
	return out
}

func dedup[K comparable, T any](k Keyed[K, T], made, kind, id string, waits bool, create func(*taskBuild, map[string]any, func(T)) (func(T), error)) Stream[T] {
	st := k.processor(made, kind, id, typeName[T]())
	st.Waits = waits
	out := newPort[T](st)
	read(k.s.out, st, plan.Hash, k.spread(), func(tb *taskBuild) func(T) {
		f, err := create(tb, st.compileSides(tb), out.sink(tb))
		return built(tb, id, f, err)
	})
	return Stream[T]{k.s.job, out}
}
