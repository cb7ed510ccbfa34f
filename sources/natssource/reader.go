package natssource

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// readyMessagesMax is how many messages wait for Read beside those that wait for the fetcher.
const readyMessagesMax = 256

// reader turns what its fetcher brings into records.
type reader[T any] struct {
	fetcher *fetcher
	decode  decoder[T]
	out     chan fetched
	stop    chan struct{}
	done    chan struct{}
	idle    *time.Timer

	at      position
	held    *fetched // came while Read waited
	atEnd   bool     // nothing was behind the last message
	unsaid  bool     // and the engine was not told yet
	stalled uint64   // a message that was there at the last probe and had not come
	err     error    // ends the reading once what came before is handed over
}

func newReader[T any](f *fetcher, decode decoder[T]) *reader[T] {
	empty := f.consumer != nil && f.consumer.CachedInfo().NumPending == 0
	r := &reader[T]{
		fetcher: f, decode: decode, at: f.at, atEnd: empty, unsaid: empty, idle: time.NewTimer(f.cfg.probeEvery),
		out: make(chan fetched, min(f.cfg.FetchMessages, readyMessagesMax)), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go func() {
		defer close(r.done)
		f.run(r.out, r.stop)
	}()
	return r
}

func (r *reader[T]) ended() bool { return r.fetcher.ended(r.at.next) }

// Read implements sources.Reader. A batch without records, with a new position, has passed messages of other subjects.
func (r *reader[T]) Read(ctx context.Context, b *sources.Batch[T]) error {
	from := r.at
	if g := r.fetcher.lost; g != nil {
		b.Bad = append(b.Bad, r.lostLetter(*g))
		r.fetcher.lost = nil
	}
	for {
		if err := r.fill(ctx, b); err != nil {
			b.Reset()
			r.at = from
			return err
		}
		if r.ended() || len(b.Records)+len(b.Bad) > 0 || r.at.next != from.next || r.unsaid || r.err != nil {
			break
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
	b.Next = r.at.append(b.Next[:0])
	switch {
	case r.ended():
		return io.EOF
	case r.err != nil && len(b.Records)+len(b.Bad) == 0:
		return r.err
	case r.atEnd && r.unsaid && r.held == nil && len(r.out) == 0:
		b.AtEnd, r.unsaid = true, false
	}
	return nil
}

// wait waits for a message, or until the stream was asked why none comes.
func (r *reader[T]) wait(ctx context.Context) error {
	if r.fetcher.stop != endNone && r.atEnd {
		return r.probe(ctx) // it may be the end
	}
	r.idle.Reset(r.fetcher.cfg.probeEvery)
	select {
	case got := <-r.out:
		r.held = &got
		return nil
	case <-r.idle.C:
		return r.probe(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// probe asks the stream's leader for what is behind the position. So the position passes messages of other subjects, which the
// stream may remove before this split has a message again.
func (r *reader[T]) probe(ctx context.Context) error {
	f := r.fetcher
	extent, err := f.conn.Extent(ctx, f.stream)
	if err != nil {
		return transient(fmt.Errorf("nats source: %w", err))
	}
	r.atEnd = false
	next, err := f.conn.Next(ctx, f.cfg.Stream, r.at.next, f.subject)
	switch {
	case err != nil:
		return transient(fmt.Errorf("nats source: %w", err))
	case next != nil && next.Sequence <= extent.Last && next.Sequence < f.stop:
		if next.Sequence == r.stalled && len(r.out) == 0 {
			return fmt.Errorf("nats source: message %d of %s does not come: %w", next.Sequence, f.split, errStalled)
		}
		r.stalled = next.Sequence
		return nil
	}
	r.stalled, r.atEnd = 0, next == nil
	r.at.next = max(r.at.next, min(extent.Last+1, f.stop))
	return nil
}

// fill reads what has come until b is full or the end is reached.
func (r *reader[T]) fill(ctx context.Context, b *sources.Batch[T]) error {
	var skipped gap // the first sequences that did not come
	for len(b.Records)+len(b.Bad) < cap(b.Records) && !r.ended() && r.err == nil {
		got, ok := r.next()
		if !ok {
			break
		}
		if r.err = got.err; r.err != nil {
			break
		}
		sequence := got.meta.Sequence.Stream
		if sequence < r.fetcher.at.next { // older servers let a consumer on a replica that lags begin at its end
			continue
		}
		r.stalled, r.atEnd, r.unsaid = 0, got.meta.NumPending == 0, got.meta.NumPending == 0
		if sequence > r.at.next && skipped.from == 0 {
			skipped = gap{r.at.next, sequence}
		}
		if sequence >= r.fetcher.stop {
			r.at.next = r.fetcher.stop
			break
		}
		r.add(b, got)
		r.at.next = max(r.at.next, sequence+1)
	}
	if skipped.from == 0 {
		return nil
	}
	return r.checkSkipped(ctx, b, skipped)
}

func (r *reader[T]) next() (fetched, bool) {
	if r.held != nil {
		got := *r.held
		r.held = nil
		return got, true
	}
	select {
	case got := <-r.out:
		return got, true
	default:
		return fetched{}, false
	}
}

// checkSkipped tells sequences of other subjects, and of messages deleted one by one, from those that the stream's limits took away
// while they were waiting to be read: then the stream begins behind them.
func (r *reader[T]) checkSkipped(ctx context.Context, b *sources.Batch[T], skipped gap) error {
	if r.fetcher.superseding() {
		return nil
	}
	extent, err := r.fetcher.conn.Extent(ctx, r.fetcher.stream)
	if err != nil {
		return transient(fmt.Errorf("nats source: %w", err))
	}
	if extent.First <= skipped.from {
		return nil
	}
	skipped.behind = extent.First
	if !r.fetcher.cfg.SkipLost {
		return r.fetcher.isLost(skipped)
	}
	b.Bad = append(b.Bad, r.lostLetter(skipped))
	return nil
}

func (r *reader[T]) add(b *sources.Batch[T], got fetched) {
	v, err := r.decode(got.msg, got.meta)
	if err != nil {
		b.Bad = append(b.Bad, r.deadLetter(got.msg, got.meta, err))
		return
	}
	b.Records = append(b.Records, flow.Record[T]{TimeNS: got.meta.Timestamp.UnixNano(), Value: v})
}

func (r *reader[T]) deadLetter(m *client.Msg, meta *client.MsgMetadata, err error) flow.DeadLetter {
	cut := func(b []byte) []byte { return b[:min(len(b), flow.DeadLetterBytesMax)] }
	return flow.DeadLetter{
		Split:    r.fetcher.split,
		Position: strconv.FormatUint(meta.Sequence.Stream, 10),
		Reason:   err.Error(),
		Key:      cut([]byte(m.Subject)),
		Value:    cut(m.Data),
		Time:     meta.Timestamp.UTC(),
	}
}

func (r *reader[T]) lostLetter(g gap) flow.DeadLetter {
	return flow.DeadLetter{
		Split:    r.fetcher.split,
		Position: fmt.Sprintf("%d-%d", g.from, g.behind-1),
		Reason:   r.fetcher.reason(g).Error(),
		Time:     time.Now().UTC(),
	}
}

// Close cuts the connection and waits for the fetcher.
func (r *reader[T]) Close() error {
	close(r.stop)
	r.idle.Stop()
	r.fetcher.close()
	<-r.done
	return nil
}
