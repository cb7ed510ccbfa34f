package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/mailbox/natslane"
)

// CoordinatorConfig says which workers a job wants.
type CoordinatorConfig struct {
	// Job and Args are what workers build the job from: see Offer.
	Job  string
	Args []string
	// Workers is how many the job wants. Its start waits for all of them.
	Workers int
	// GatherFor is how long a restart waits for as many; then it goes on with those there are, at least one. 0: 300 ms.
	GatherFor time.Duration
	// Name is how workers call this process in messages; empty: "coordinator".
	Name string
}

const (
	defaultGather = 300 * time.Millisecond
	offerWithin   = 2 * time.Second
)

// Coordinator finds the workers of one job. It is what Config.Cluster of the job wants.
type Coordinator struct {
	c   Config
	of  CoordinatorConfig
	sub *nats.Subscription

	mu      sync.Mutex
	seen    map[string]sighting // by id
	links   map[string]*link    // by id of the worker
	refused string              // the newest refusal
	changed chan struct{}       // closed and replaced when a worker was seen for the first time, or became free
	once    bool                // a muster has succeeded
	beats   context.CancelFunc
	work    sync.WaitGroup
}

// sighting is a worker's newest beacon.
type sighting struct {
	beacon
	at time.Time
}

// Coordinate begins to look for workers. Close ends it, behind the job.
func Coordinate(c Config, of CoordinatorConfig) (*Coordinator, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	if of.Workers < 1 {
		return nil, fmt.Errorf("cluster: %d workers, want at least 1", of.Workers)
	}
	if of.GatherFor == 0 {
		of.GatherFor = defaultGather
	}
	if of.Name == "" {
		of.Name = "coordinator"
	}
	k := &Coordinator{c: c, of: of, seen: map[string]sighting{}, links: map[string]*link{}, changed: make(chan struct{})}
	var err error
	if k.sub, err = c.Conn.Subscribe(c.beacons(), k.see); err != nil {
		return nil, fmt.Errorf("cluster: subscribe to %s: %w", c.beacons(), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.beats = cancel
	k.work.Go(func() { k.beat(ctx) })
	return k, nil
}

// Close ends the links that are left.
func (k *Coordinator) Close() {
	_ = k.sub.Unsubscribe() // of a connection that is closed
	k.mu.Lock()
	links := k.links
	k.links = map[string]*link{}
	k.mu.Unlock()
	for _, l := range links {
		l.Close(nil)
		l.work.Wait()
	}
	k.beats()
	k.work.Wait()
}

// Wire implements millrace.Cluster.
func (k *Coordinator) Wire() natslane.Wire { return k.c.wire() }

// beat tells the workers of this process's links that it lives.
func (k *Coordinator) beat(ctx context.Context) {
	tick := time.NewTicker(k.c.BeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		k.mu.Lock()
		for id, l := range k.links {
			if l.over() {
				delete(k.links, id)
				continue
			}
			_ = k.c.Conn.Publish(k.c.beats(l.id), nil) // of a connection that is closed: the worker misses it
		}
		k.mu.Unlock()
	}
}

// see takes a worker's beacon.
func (k *Coordinator) see(m *nats.Msg) {
	var b beacon
	if json.Unmarshal(m.Data, &b) != nil || b.ID == "" || strings.ContainsAny(b.ID, ".*> ") {
		return // of somebody else
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.links[b.ID]; l != nil && l.id == b.Link {
		l.sign()
	}
	old, known := k.seen[b.ID]
	k.seen[b.ID] = sighting{b, time.Now()}
	if !known || old.Link != "" && b.Link == "" {
		close(k.changed)
		k.changed = make(chan struct{})
	}
}

// Muster implements millrace.Cluster.
func (k *Coordinator) Muster(ctx context.Context, job string) ([]actors.Link, error) {
	k.mu.Lock()
	first := !k.once
	k.mu.Unlock()
	patience := time.NewTimer(k.of.GatherFor)
	defer patience.Stop()
	due := false
	for {
		k.mu.Lock()
		changed := k.changed
		k.mu.Unlock()
		if err := k.hire(ctx); err != nil {
			return nil, err
		}
		links := k.alive()
		if len(links) >= k.of.Workers || len(links) > 0 && due && !first {
			k.mu.Lock()
			k.once = true
			k.mu.Unlock()
			return links, nil
		}
		select {
		case <-changed:
		case <-time.After(k.c.LostAfter): // one that had a job may have lost it
		case <-patience.C:
			due = true
		case <-ctx.Done():
			return nil, k.missing(job, len(links), ctx.Err())
		}
	}
}

// missing says why there are too few workers.
func (k *Coordinator) missing(job string, have int, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err = fmt.Errorf("job %q has %d of %d workers: start more (runner worker): %w", job, have, k.of.Workers, err)
	if k.refused != "" {
		err = fmt.Errorf("%w; the newest refusal: %s", err, k.refused)
	}
	return err
}

// alive are the links that hold, by the workers' ids.
func (k *Coordinator) alive() (links []actors.Link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var ids []string
	for id, l := range k.links {
		if !l.over() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		links = append(links, k.links[id])
	}
	return links
}

// hire offers the job to workers that are free, until there are enough.
func (k *Coordinator) hire(ctx context.Context) error {
	for _, b := range k.free() {
		if len(k.alive()) >= k.of.Workers {
			return nil
		}
		if err := k.offer(ctx, b); err != nil {
			if ctx.Err() != nil {
				return k.missing(k.of.Job, len(k.alive()), ctx.Err())
			}
			k.mu.Lock()
			k.refused = err.Error()
			delete(k.seen, b.ID) // until it says again that it is free
			k.mu.Unlock()
		}
	}
	return nil
}

// free are the workers that have said lately that they have no job.
func (k *Coordinator) free() (free []beacon) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, s := range k.seen {
		l := k.links[id]
		if s.Link == "" && time.Since(s.at) < k.c.LostAfter && (l == nil || l.over()) {
			free = append(free, s.beacon)
		}
	}
	slices.SortFunc(free, func(a, b beacon) int { return strings.Compare(a.ID, b.ID) })
	return free
}

// offer opens a link with a worker.
func (k *Coordinator) offer(ctx context.Context, b beacon) error {
	id := rand.Text()
	l, err := open(k.c, id, b.Name, up, down)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.links[b.ID] = l // its beats begin
	k.mu.Unlock()
	if err = k.ask(ctx, b, id); err != nil {
		l.Close(err)
		l.work.Wait()
		return fmt.Errorf("worker %s: %w", b.Name, err)
	}
	return nil
}

func (k *Coordinator) ask(ctx context.Context, b beacon, link string) error {
	data, err := json.Marshal(offered{Link: link, From: k.of.Name, Job: k.of.Job, Args: k.of.Args})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, offerWithin)
	defer cancel()
	m, err := k.c.Conn.RequestWithContext(ctx, k.c.offers(b.ID), data)
	if err != nil {
		return err
	}
	var a accepted
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("its answer: %w", err)
	}
	if a.Refusal != "" {
		return errors.New(a.Refusal)
	}
	return nil
}
