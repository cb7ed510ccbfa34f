package kafkasource

import (
	"context"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/kafka"
	"github.com/millrace-io/millrace/sources"
)

// reader turns what its fetcher brings into records.
type reader[T any] struct {
	fetcher *fetcher
	decode  decoder[T]
	out     chan fetched
	stop    chan struct{}
	done    chan struct{}

	at      position
	batches []*sarama.RecordBatch // not yet read, of the fetch being read
	record  int                   // next in batches[0]
	behind  int64                 // offset behind the fetch being read
	atEnd   bool                  // nothing was behind that fetch
	unsaid  bool                  // and the engine was not told yet
	err     error                 // ends the reading once batches are read
}

func newReader[T any](f *fetcher, decode decoder[T]) *reader[T] {
	r := &reader[T]{
		fetcher: f, decode: decode, at: f.at, behind: f.at.next,
		out: make(chan fetched, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go func() {
		defer close(r.done)
		f.run(r.out, r.stop)
	}()
	return r
}

// Read implements sources.Reader. A batch without records, with a new position, has passed records that cannot be seen.
// One with the position that there was says that the partition is at its end.
func (r *reader[T]) Read(ctx context.Context, b *sources.Batch[T]) error {
	from := r.at.next
	for r.at.next == from && (!r.unsaid || len(r.batches) > 0) && r.err == nil && !r.fetcher.ended(r.at.next) {
		if len(r.batches) == 0 {
			select {
			case got := <-r.out:
				r.begin(got)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r.fill(b)
	}
	// What is there already goes along, but is not waited for.
	for len(b.Records)+len(b.Bad) < cap(b.Records) && len(r.batches) == 0 && r.err == nil && !r.fetcher.ended(r.at.next) {
		select {
		case got := <-r.out:
			r.begin(got)
			r.fill(b)
			continue
		default:
		}
		break
	}
	b.Next = r.at.append(b.Next[:0])
	switch {
	case r.fetcher.ended(r.at.next):
		return io.EOF
	case r.err != nil && r.at.next == from:
		return r.err
	case r.atEnd && len(r.batches) == 0 && len(r.out) == 0:
		b.AtEnd, r.unsaid = true, false
	}
	return nil
}

func (r *reader[T]) begin(got fetched) {
	r.atEnd, r.unsaid = got.atEnd, got.atEnd
	if r.err = got.err; r.err != nil {
		return
	}
	r.batches, r.record, r.behind = got.batches, 0, got.next
}

// fill reads records of the fetch until b is full or the fetch is read.
func (r *reader[T]) fill(b *sources.Batch[T]) {
	for len(r.batches) > 0 {
		if !r.fillFrom(r.batches[0], b) {
			return
		}
		r.batches, r.record = r.batches[1:], 0
	}
	r.at.next = max(r.at.next, r.behind)
	if r.fetcher.ended(r.at.next) {
		r.at.next = r.fetcher.stop
	}
}

// fillFrom reads batch from r.record on; false means that b is full or the end is reached.
func (r *reader[T]) fillFrom(batch *sarama.RecordBatch, b *sources.Batch[T]) bool {
	p := r.fetcher.partition
	end := int64(math.MaxInt64)
	if r.fetcher.stop != endNone {
		end = r.fetcher.stop
	}
	base, perRecord := timeOf(batch)
	for ; r.record < len(batch.Records); r.record++ {
		rec := batch.Records[r.record]
		offset := batch.FirstOffset + rec.OffsetDelta
		if offset < r.at.next {
			continue
		}
		if offset >= end {
			r.at.next, r.batches = end, nil
			return false
		}
		if len(b.Records)+len(b.Bad) >= cap(b.Records) {
			return false
		}
		timeMS := base
		if perRecord {
			timeMS += int64(rec.TimestampDelta / time.Millisecond)
		}
		v, err := r.decode(p, offset, timeMS, rec)
		if err != nil {
			b.Bad = append(b.Bad, deadLetter(p, offset, timeMS, rec, err))
		} else {
			b.Records = append(b.Records, flow.Record[T]{TimeNS: nanoseconds(timeMS), Value: v})
		}
		r.at.next = offset + 1
	}
	return true
}

// timeOf is the time of a batch's records in milliseconds, and whether each has a difference to it.
func timeOf(batch *sarama.RecordBatch) (ms int64, perRecord bool) {
	switch {
	case batch.LogAppendTime:
		return batch.MaxTimestamp.UnixMilli(), false
	case batch.FirstTimestamp.IsZero():
		return noTimestampMS, false
	}
	return batch.FirstTimestamp.UnixMilli(), true
}

// nanoseconds converts a timestamp; one that does not fit, about 292 years from 1970, becomes the nearest that does.
func nanoseconds(ms int64) int64 {
	if ms == noTimestampMS {
		return 0
	}
	return min(max(ms, math.MinInt64/nsPerMS), math.MaxInt64/nsPerMS) * nsPerMS
}

func timeAt(ms int64) time.Time {
	if ms == noTimestampMS {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func deadLetter(p kafka.Partition, offset, timeMS int64, rec *sarama.Record, err error) flow.DeadLetter {
	cut := func(b []byte) []byte { return b[:min(len(b), flow.DeadLetterBytesMax)] }
	return flow.DeadLetter{
		Split:    p.String(),
		Position: strconv.FormatInt(offset, 10),
		Reason:   err.Error(),
		Key:      cut(rec.Key),
		Value:    cut(rec.Value),
		Time:     timeAt(timeMS),
	}
}

func message(p kafka.Partition, offset, timeMS int64, rec *sarama.Record) (Message, error) {
	m := Message{
		Topic: p.Topic, Partition: p.ID, Offset: offset,
		Key: rec.Key, Value: rec.Value, Time: timeAt(timeMS),
	}
	if len(rec.Headers) > 0 {
		m.Headers = make([]Header, len(rec.Headers))
		for i, h := range rec.Headers {
			m.Headers[i] = Header{Key: string(h.Key), Value: h.Value}
		}
	}
	return m, nil
}

// Close cuts the connection and waits for the fetcher.
func (r *reader[T]) Close() error {
	close(r.stop)
	r.fetcher.conn.Abort()
	<-r.done
	r.fetcher.conn.Close()
	return nil
}
