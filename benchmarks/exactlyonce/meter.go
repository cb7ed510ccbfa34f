package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// meter reads a topic's committed records and expects each partition's in order, without a gap and without a repeat.
type meter struct {
	client   sarama.Client
	consumer sarama.Consumer
	warm     int64 // the first records, which are not measured
	readers  []*reader
	reading  sync.WaitGroup

	seen    atomic.Int64
	stepped chan struct{} // holds one; rung when seen has grown, or a reader has failed
}

// reader reads a partition. Its histograms may be read when the meter is closed, err when the reader has ended.
type reader struct {
	part                    sarama.PartitionConsumer
	whole, written, visible *hdrhistogram.Histogram
	failed                  atomic.Pointer[error]
}

func (c *course) newMeter(topic string, warm int64) (m *meter, err error) {
	m = &meter{warm: warm, stepped: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("read %s: %w", topic, err), m.close())
		}
	}()
	if m.client, err = sarama.NewClient(c.brokers, settings()); err != nil {
		return m, err
	}
	if m.consumer, err = sarama.NewConsumerFromClient(m.client); err != nil {
		return m, err
	}
	for p := range c.partitions {
		part, err := m.consumer.ConsumePartition(topic, int32(p), sarama.OffsetOldest)
		if err != nil {
			return m, err
		}
		r := &reader{part: part, whole: harness.NewHistogram(), written: harness.NewHistogram(), visible: harness.NewHistogram()}
		m.readers = append(m.readers, r)
		m.reading.Go(func() { m.read(r, int64(p), int64(c.partitions)) })
	}
	return m, nil
}

// read takes the records next, next+step, ….
func (m *meter) read(r *reader, next, step int64) {
	for msg := range r.part.Messages() {
		nowNS := harness.NowNS()
		if n := number(msg.Value); n != next {
			err := fmt.Errorf("%s/%d, offset %d: record %d where %d is next: lost, repeated or out of order", msg.Topic, msg.Partition, msg.Offset, n, next)
			r.failed.Store(&err)
			m.ring()
			return
		}
		if next >= m.warm {
			r.take(nowNS, int64(binary.BigEndian.Uint64(msg.Value)), msg.Timestamp.UnixNano())
		}
		next += step
		m.seen.Add(1)
		m.ring()
	}
}

// number is a record's own, -1 when it is none of ours.
func number(value []byte) int64 {
	if len(value) != valueBytes {
		return -1
	}
	return int64(binary.BigEndian.Uint64(value[8:]))
}

// take notes the way of a record: due, appended by the broker, in milliseconds, and read. Clocks that differ by less than that give 0.
func (r *reader) take(nowNS, dueNS, appendedNS int64) {
	// The only error is a value above the histogram's 60 s, which await does not wait for.
	_ = r.whole.RecordValue(nowNS - dueNS)
	_ = r.written.RecordValue(max(appendedNS-dueNS, 0))
	_ = r.visible.RecordValue(max(nowNS-appendedNS, 0))
}

func (m *meter) ring() {
	select {
	case m.stepped <- struct{}{}:
	default:
	}
}

// arriveWithin is how long the meter waits when nothing comes.
const arriveWithin = 30 * time.Second

// await waits until n records have been read, or until there has been nothing for too long.
func (m *meter) await(ctx context.Context, n int64) error {
	patience := time.NewTimer(arriveWithin)
	defer patience.Stop()
	for m.seen.Load() < n {
		select {
		case <-m.stepped:
			patience.Reset(arriveWithin)
		case <-patience.C:
			return fmt.Errorf("%d of %d records arrived, and none for %v", m.seen.Load(), n, arriveWithin)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for _, r := range m.readers {
			if err := r.failed.Load(); err != nil {
				return *err
			}
		}
	}
	if seen := m.seen.Load(); seen != n {
		return fmt.Errorf("%d records arrived, want %d", seen, n)
	}
	return nil
}

func (m *meter) close() error {
	var errs []error
	for _, r := range m.readers {
		errs = append(errs, r.part.Close())
	}
	m.reading.Wait()
	if m.consumer != nil {
		errs = append(errs, m.consumer.Close())
	}
	if m.client != nil {
		errs = append(errs, m.client.Close())
	}
	return errors.Join(errs...)
}

// delay merges what the partitions' readers noted. The meter is closed.
func (m *meter) delay() (d delay) {
	d = delay{newTimes(), newTimes(), newTimes()}
	for _, r := range m.readers {
		d.whole.Merge(r.whole)
		d.written.Merge(r.written)
		d.visible.Merge(r.visible)
	}
	return d
}
