package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const paceEvery = 5 * time.Millisecond

// generator produces records at a steady rate, split after split, until it is stopped. Its client is idempotent: each is there once.
type generator struct {
	content
	client   *kgo.Client
	topic    string
	produced []int64 // by split; valid when it has ended
	end      chan struct{}
	ended    chan error
}

func generate(ctx context.Context, c content, brokers, topic string, rate int) (*generator, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(paceEvery))
	if err != nil {
		return nil, err
	}
	g := &generator{content: c, client: client, topic: topic, produced: make([]int64, partitions), end: make(chan struct{}), ended: make(chan error, 1)}
	go func() { g.ended <- g.run(ctx, rate) }()
	return g, nil
}

func (g *generator) run(ctx context.Context, rate int) error {
	defer g.client.Close()
	var mu sync.Mutex
	var failed error
	begun, sent := time.Now(), int64(0)
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for going := true; going; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-g.end:
			going = false
		case <-tick.C:
		}
		for due := int64(float64(rate) * time.Since(begun).Seconds()); sent < due; sent++ {
			split := int32(sent % partitions)
			r := g.at(split, g.produced[split])
			g.produced[split]++
			g.client.Produce(ctx, &kgo.Record{Topic: g.topic, Partition: split, Key: []byte(r.Key), Value: r.encode()}, func(_ *kgo.Record, err error) {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			})
		}
	}
	if err := g.client.Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

// stop ends it and says how many records of each split there are.
func (g *generator) stop() ([]int64, error) {
	close(g.end)
	err := <-g.ended
	return g.produced, err
}
