package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// follower reads the committed output while the campaign runs: it sees which run has come so far as to publish something of its own.
type follower struct {
	mu       sync.Mutex
	first    map[string]time.Time // by run: when its first record was seen
	runs     chan struct{}        // closed and made anew when first grows
	distinct map[[2]int64]struct{}
	newest   time.Time // when the newest record was seen
	ended    chan error
}

func follow(ctx context.Context, brokers, topic string) (*follower, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	f := &follower{first: map[string]time.Time{}, runs: make(chan struct{}), distinct: map[[2]int64]struct{}{}, newest: time.Now(), ended: make(chan error, 1)}
	go func() {
		defer client.Close()
		f.ended <- f.read(ctx, client)
	}()
	return f, nil
}

func (f *follower) read(ctx context.Context, client *kgo.Client) error {
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("follow the output: %w", err)
		}
		now := time.Now()
		for it := fetches.RecordIter(); !it.Done(); {
			if err := f.take(it.Next(), now); err != nil {
				return err
			}
		}
	}
}

func (f *follower) take(r *kgo.Record, now time.Time) error {
	var c counted
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return fmt.Errorf("output at %d/%d: %w", r.Partition, r.Offset, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest = now
	f.distinct[[2]int64{int64(c.Split), c.Seq}] = struct{}{}
	for _, h := range r.Headers {
		if _, known := f.first[string(h.Value)]; h.Key == "run" && !known {
			f.first[string(h.Value)] = now
			close(f.runs)
			f.runs = make(chan struct{})
		}
	}
	return nil
}

// output says when the first record of a run was seen, and gives a channel that is closed when there may be news.
func (f *follower) output(run string) (at time.Time, ok bool, news <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok = f.first[run]
	return at, ok, f.runs
}

// progress is how many different records were seen, and when the newest was.
func (f *follower) progress() (n int64, newest time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.distinct)), f.newest
}
