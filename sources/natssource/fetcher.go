package natssource

import (
	"context"
	"fmt"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/internal/nats"
	"github.com/millrace-io/millrace/sources"
)

const (
	// consumerIdle is after what time the server removes the consumer of a reader that asks for nothing: one whose process was killed,
	// or one whose job takes nothing for so long; that reader is opened again.
	consumerIdle = 5 * time.Minute
	forgetWithin = time.Second
)

// fetcher fetches one split over a connection of its own, ahead of the reader. Its run is the only goroutine that uses the iterator.
type fetcher struct {
	cfg     Config
	conn    *nats.Conn
	stream  jetstream.Stream
	split   string
	subject string
	at      position
	stop    uint64 // sequence to end at, of a bounded source or batch; endNone otherwise
	newest  uint64 // the last sequence of the stream, as of locate
	lost    *gap   // what was there no more when the split was opened

	consumer jetstream.Consumer // nil when there is nothing to read
	puller   *puller
}

// gap is sequences that the stream removed before they were certain to be read.
type gap struct{ from, behind uint64 }

// fetched is a message, or the last error.
type fetched struct {
	msg  *client.Msg
	meta *client.MsgMetadata
	err  error
}

func (f *fetcher) ended(next uint64) bool { return next >= f.stop }

// locate resolves the position's open ends and checks that it is there.
func (f *fetcher) locate(ctx context.Context) error {
	e, err := f.conn.Extent(ctx, f.stream)
	if err != nil {
		return fmt.Errorf("nats source: %w", err)
	}
	if created := e.Created.UnixNano(); f.at.created != created {
		return fmt.Errorf("nats source: stream %q was deleted and created again: the position, sequence %d of %s, is of the one created at %s, and this one was created at %s; "+
			"its sequences mean other messages now: start a new lineage", f.cfg.Stream, f.at.next, f.split, timestamp(f.at.created), timestamp(created))
	}
	if f.at.next == earliest {
		f.at.next = e.First
	}
	if f.cfg.Bounded && f.at.end == endNone {
		f.at.end = e.Last + 1
	}
	if !f.cfg.Bounded {
		f.at.end = endNone
	}
	f.stop, f.newest = min(f.stop, f.at.end), e.Last
	switch {
	case f.at.next > e.Last+1:
		return fmt.Errorf("nats source: sequence %d of %s is not there: the stream %q ends with %d; it was purged back, restored from an older copy or lost its directory: "+
			"start a new lineage to read what it has now", f.at.next, f.split, f.cfg.Stream, e.Last)
	case f.at.next >= e.First, f.ended(f.at.next):
		return nil
	case f.superseding():
		f.at.next = min(e.First, f.stop)
		return nil
	case !f.cfg.SkipLost:
		return f.isLost(gap{f.at.next, e.First})
	}
	f.lost = &gap{f.at.next, min(e.First, f.stop)}
	f.at.next = f.lost.behind
	return nil
}

// superseding says whether the stream removes only what a newer message of the same subject has replaced, as a key-value bucket does. Those
// who come later see the newest, and miss nothing that is still true.
func (f *fetcher) superseding() bool {
	c := f.stream.CachedInfo().Config
	return c.MaxMsgsPerSubject > 0 && c.MaxAge == 0 && c.MaxMsgs <= 0 && c.MaxBytes <= 0
}

func timestamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

func (f *fetcher) isLost(g gap) error {
	return fmt.Errorf("nats source: %w: start a new lineage to read on from there, or set Config.SkipLost to go on with a dead letter; and let the stream keep messages longer", f.reason(g))
}

func (f *fetcher) reason(g gap) error {
	return fmt.Errorf("sequence %d of %s is gone: the stream now begins with %d, and it is not certain that everything before that was read", g.from, f.split, g.behind)
}

// open makes the consumer, unless the reading ends where it begins.
func (f *fetcher) open(ctx context.Context) error {
	if f.ended(f.at.next) {
		return nil
	}
	cfg := jetstream.ConsumerConfig{
		Description: "Millrace, " + f.split, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.at.next,
		AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: consumerIdle, MemoryStorage: true, Replicas: 1,
	}
	if f.subject != everything {
		cfg.FilterSubject = f.subject
	}
	ctx, cancel := context.WithTimeout(ctx, nats.RequestTimeout)
	defer cancel()
	var err error
	if f.consumer, err = f.stream.CreateConsumer(ctx, cfg); err != nil {
		return err
	}
	f.puller, err = newPuller(f.conn, f.cfg, f.consumer.CachedInfo().Name)
	return err
}

// run hands messages over through out until an error or stop.
func (f *fetcher) run(out chan<- fetched, stop <-chan struct{}) {
	if f.puller == nil {
		return
	}
	for n := uint64(1); ; n++ {
		got := f.fetch(n)
		select {
		case out <- got:
		case <-stop:
			return
		}
		if got.err != nil {
			return
		}
	}
}

// fetch waits for the consumer's n-th message. The server sends each once: one that is missing was lost on the way.
func (f *fetcher) fetch(n uint64) (got fetched) {
	got.msg, got.err = f.puller.next(n)
	if got.err == nil {
		got.meta, got.err = got.msg.Metadata()
	}
	if got.err == nil && got.meta.Sequence.Consumer != n {
		got.err = fmt.Errorf("message %d of the consumer: %w", n, errLost)
	}
	if got.err != nil {
		got.err = transient(fmt.Errorf("nats source: read %s: %w", f.split, got.err))
	}
	return got
}

// close ends the connection. The consumer is removed if the server is there; else it removes it by itself.
func (f *fetcher) close() {
	if f.puller != nil {
		f.puller.stop()
	}
	if f.consumer != nil && f.conn.IsConnected() {
		ctx, cancel := context.WithTimeout(context.Background(), forgetWithin)
		_ = f.stream.DeleteConsumer(ctx, f.consumer.CachedInfo().Name)
		cancel()
	}
	f.conn.Close()
}

var (
	errLost    = fmt.Errorf("%w: it was lost on the way", sources.ErrDisconnected)
	errStalled = fmt.Errorf("%w: the consumer has stalled", sources.ErrDisconnected) // messages are there and do not come
)
