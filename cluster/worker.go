package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/mailbox/natslane"
)

// Offer is what a worker is asked to do: to run tasks of a job for the process at the other end of Link.
type Offer struct {
	Job  string   // its topology's name
	Args []string // which the topology is built with
	Link actors.Link
	Wire natslane.Wire
}

// beacon is what a worker says of itself.
type beacon struct {
	ID   string
	Name string
	Link string // that it serves; empty: it is free
}

// offered is an Offer on the wire.
type offered struct {
	Link string
	From string
	Job  string
	Args []string
}

// accepted is the answer.
type accepted struct{ Refusal string }

// server is a worker process.
type server struct {
	c    Config
	id   string
	name string
	run  func(ctx context.Context, o Offer) error
	ctx  context.Context
	work sync.WaitGroup
	mu   sync.Mutex
	busy *link
}

// Serve runs tasks for whoever asks through NATS, for one job at a time, until ctx ends. name is how the worker is called in messages; empty: the host's
// and the process's. run is called for each offer on a goroutine of its own, which serves the link until that ends (Job.Work); its error goes to the other end. Serve returns when the last run has.
func Serve(ctx context.Context, c Config, name string, run func(ctx context.Context, o Offer) error) error {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return err
	}
	if name == "" {
		host, _ := os.Hostname()
		name = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	s := &server{c: c, id: rand.Text(), name: name, run: run, ctx: ctx}
	sub, err := c.Conn.Subscribe(c.offers(s.id), s.offer)
	if err != nil {
		return fmt.Errorf("cluster: subscribe to %s: %w", c.offers(s.id), err)
	}
	tick := time.NewTicker(c.BeatEvery)
	defer tick.Stop()
	for {
		s.beat()
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		_ = sub.Unsubscribe() // of a connection that is closed
		s.mu.Lock()
		busy := s.busy
		s.mu.Unlock()
		if busy != nil {
			busy.Close(nil)
		}
		s.work.Wait()
		return nil
	}
}

// beat says that the worker lives.
func (s *server) beat() {
	s.mu.Lock()
	b := beacon{ID: s.id, Name: s.name}
	if s.busy != nil {
		b.Link = s.busy.id
	}
	s.mu.Unlock()
	data, err := json.Marshal(b)
	if err == nil {
		err = s.c.Conn.Publish(s.c.beacons(), data)
	}
	_ = err // a closed connection: nobody hears of this worker, and its links end
}

// offer takes an offer, unless there is a job already.
func (s *server) offer(m *nats.Msg) {
	var o offered
	answer := accepted{}
	if err := json.Unmarshal(m.Data, &o); err != nil || o.Link == "" {
		answer.Refusal = fmt.Sprintf("not an offer: %v", err)
	} else if err := s.accept(o); err != nil {
		answer.Refusal = err.Error()
	}
	if data, err := json.Marshal(answer); err == nil {
		_ = m.Respond(data) // who does not hear it asks again
	}
	s.beat()
}

func (s *server) accept(o offered) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ctx.Err() != nil:
		return fmt.Errorf("worker %s is ending", s.name)
	case s.busy != nil && s.busy.id == o.Link:
		return nil // it asks again
	case s.busy != nil:
		return fmt.Errorf("worker %s has a job", s.name)
	}
	l, err := open(s.c, o.Link, o.From, down, up)
	if err != nil {
		return err
	}
	beats, err := s.c.Conn.Subscribe(s.c.beats(o.Link), func(*nats.Msg) { l.sign() })
	if err != nil {
		l.fail(err)
		return err
	}
	l.subs = append(l.subs, beats)
	s.busy = l
	s.work.Go(func() {
		err := s.run(s.ctx, Offer{Job: o.Job, Args: o.Args, Link: l, Wire: s.c.wire()})
		l.Close(err)
		l.work.Wait()
		s.mu.Lock()
		s.busy = nil
		s.mu.Unlock()
	})
	return nil
}
