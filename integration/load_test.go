//go:build integration

package integration

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// load is the input of the crash test: records 0, 1, 2, …, each with its number as value, and a key by chance.
type load struct {
	topic   string
	seed    uint64
	records int64
	keys    int
}

const paceEvery = 5 * time.Millisecond

// produce sends the records evenly over a time, but the last twentieth only when behind is closed.
func (l load) produce(ctx context.Context, c *kgo.Client, over time.Duration, behind <-chan struct{}) error {
	random := rand.New(rand.NewPCG(l.seed, 1))
	var mu sync.Mutex
	var failed error
	sent := int64(0)
	send := func(until int64) {
		for ; sent < until; sent++ {
			c.Produce(ctx, l.record(random, sent), func(_ *kgo.Record, err error) {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			})
		}
	}
	begun := time.Now()
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for held := l.records - l.records/20; sent < l.records; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-behind:
			behind, held = nil, l.records
		case <-tick.C:
			send(min(held, int64(float64(l.records)*time.Since(begun).Seconds()/over.Seconds())))
		}
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

// record makes the next record: half of the keys are few, the others many.
func (l load) record(random *rand.Rand, id int64) *kgo.Record {
	key := random.IntN(l.keys)
	if random.IntN(2) == 0 {
		key %= 50
	}
	return &kgo.Record{Topic: l.topic, Key: fmt.Appendf(nil, "key-%04d", key), Value: binary.BigEndian.AppendUint64(nil, uint64(id))}
}

// input reads the input topic back and counts it by key; each record has to be there once.
func (l load) input(t *testing.T) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	seen := make([]bool, l.records)
	left := l.records
	err := consume(t.Context(), l.topic, func(r *kgo.Record) bool {
		id := binary.BigEndian.Uint64(r.Value)
		if seen[id] {
			t.Fatalf("the input has record %d twice", id)
		}
		seen[id] = true
		counts[string(r.Key)]++
		left--
		return left > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}
