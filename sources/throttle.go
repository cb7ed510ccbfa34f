package sources

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// Throttle limits src to perSecond records a second over all its splits, in bursts of at most 10 ms worth. Readers wait
// on their I/O goroutine, pollers ask to be polled later; those that wait get even shares. All tasks of the source must be in one process.
func Throttle[T any](src Source[T], perSecond int64) Source[T] {
	return &throttled[T]{wrapped[T]{src}, &bucket{perSecond: perSecond}}
}

type throttled[T any] struct {
	wrapped[T]
	bucket *bucket
}

func (t *throttled[T]) Check(ctx context.Context) error {
	if t.bucket.perSecond <= 0 || t.bucket.perSecond > nsPerSecond {
		return fmt.Errorf("throttle: rate %d/s is not between 1 and %d", t.bucket.perSecond, int64(nsPerSecond))
	}
	return t.wrapped.Check(ctx)
}

func (t *throttled[T]) Splits(ctx context.Context, known []string) ([]flow.Split, error) {
	return t.inner.Splits(ctx, known)
}

func (t *throttled[T]) Open(ctx context.Context, s flow.Split, from flow.Position) (Reader[T], error) {
	r, err := t.inner.Open(ctx, s, from)
	return t.throttle(r, err)
}

// throttle makes a reader that waits for the bucket.
func (t *throttled[T]) throttle(r Reader[T], err error) (Reader[T], error) {
	if err != nil {
		return nil, err
	}
	if p, ok := r.(Poller[T]); ok {
		return &throttledPoller[T]{r, p, t.bucket, t.bucket.join()}, nil
	}
	return &throttledReader[T]{r, t.bucket}, nil
}

func (t *throttled[T]) bounder() (Bounder[T], bool) {
	b, ok := BounderOf(t.inner)
	return &throttledBounder[T]{b, t}, ok
}

// throttledBounder plans batches as the wrapped source does, and reads them more slowly.
type throttledBounder[T any] struct {
	Bounder[T]
	source *throttled[T]
}

func (t *throttledBounder[T]) OpenUntil(ctx context.Context, s flow.Split, from, until flow.Position) (Reader[T], error) {
	r, err := t.Bounder.OpenUntil(ctx, s, from, until)
	return t.source.throttle(r, err)
}

type throttledReader[T any] struct {
	Reader[T]
	bucket *bucket
}

// Read takes what it read from the bucket afterwards and waits until the bucket is out of debt: a split without input
// holds back none of the others.
func (r *throttledReader[T]) Read(ctx context.Context, b *Batch[T]) error {
	err := withCap(b, r.bucket.burst(), func() error { return r.Reader.Read(ctx, b) })
	now := time.Now().UnixNano()
	payAtNS := r.bucket.owe(now, len(b.Records))
	if wait := sleep(ctx, payAtNS-now); wait != nil && err == nil {
		return wait
	}
	return err
}

type throttledPoller[T any] struct {
	Reader[T]
	poller Poller[T]
	bucket *bucket
	share  *share
}

// Poll implements Poller. Without a token it polls for no records, which still gives the position and the end.
func (r *throttledPoller[T]) Poll(nowNS int64, b *Batch[T]) (wakeAtNS int64, err error) {
	n, tokenAtNS := r.bucket.take(r.share, nowNS, cap(b.Records))
	err = withCap(b, n, func() (err error) {
		wakeAtNS, err = r.poller.Poll(nowNS, b)
		return err
	})
	r.bucket.giveBack(r.share, n-len(b.Records))
	return max(wakeAtNS, tokenAtNS), err
}

// Close implements Reader.
func (r *throttledPoller[T]) Close() error {
	r.bucket.leave(r.share)
	return r.Reader.Close()
}

func (r *throttledPoller[T]) Read(ctx context.Context, b *Batch[T]) error {
	return readPolled(ctx, r, b)
}

// bucket is a token bucket shared by the splits of a source. A token is a record; level counts them in billionths, so
// that a nanosecond adds perSecond. It may be negative: what was read before it was paid for.
type bucket struct {
	perSecond int64

	mu     sync.Mutex
	level  int64
	fromNS int64 // when level was computed; 0 before the first use
	shares []*share
}

// burst is the most tokens the bucket holds: 10 ms worth, at least one.
func (k *bucket) burst() int { return int(max(k.perSecond/100, 1)) }

// refill brings level up to nowNS.
func (k *bucket) refill(nowNS int64) {
	full := int64(k.burst()) * nsPerSecond
	if k.fromNS == 0 {
		k.level, k.fromNS = full, nowNS
	}
	elapsed := nowNS - k.fromNS
	if elapsed <= 0 {
		return
	}
	k.fromNS = nowNS
	if elapsed >= (full-k.level)/k.perSecond+1 {
		k.level = full
		return
	}
	k.level += elapsed * k.perSecond
}

// take takes up to most tokens for a share. When it takes none, it says when there will be a millisecond's worth, at least one: waking
// for each record would cost more than the record. While a share waits that has had fewer, the others wait with it.
func (k *bucket) take(s *share, nowNS int64, most int) (n int, wakeAtNS int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refill(nowNS)
	least, others := k.leastWaiting(s, nowNS)
	if others && !s.waits(nowNS) {
		s.taken = max(s.taken, least) // it did not want what it did not get
	}
	n = int(min(k.level/nsPerSecond, int64(most)))
	if n > 0 && (!others || s.taken <= least) {
		k.level -= int64(n) * nsPerSecond
		s.taken += int64(n)
		s.untilNS = 0
		return n, 0
	}
	enough := max(k.perSecond/1000, 1) * nsPerSecond
	wakeAtNS = nowNS + max((enough-k.level+k.perSecond-1)/k.perSecond, openPollNS)
	s.untilNS = wakeAtNS + patienceNS
	return 0, wakeAtNS
}

func (k *bucket) giveBack(s *share, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.level += int64(n) * nsPerSecond
	s.taken -= int64(n)
}

// owe takes n tokens, there or not, and says when the bucket is out of debt.
func (k *bucket) owe(nowNS int64, n int) (atNS int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refill(nowNS)
	k.level -= int64(n) * nsPerSecond
	if k.level >= 0 {
		return nowNS
	}
	return nowNS + (-k.level+k.perSecond-1)/k.perSecond
}
