package kafkasource

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/internal/kafka"
)

// fetcher fetches one partition over a connection of its own, one fetch ahead of the reader. Its run is the only
// goroutine that uses the connection after locate.
type fetcher struct {
	cfg       Config
	conn      *kafka.Conn
	partition kafka.Partition
	at        position
	stop      int64 // offset to end at, of a bounded source or batch; endNone otherwise
	newest    int64 // offset behind the last record that may be read, as of locate
	bytes     int   // asked for in the next fetch
}

// fetched is what one fetch brought.
type fetched struct {
	batches []*sarama.RecordBatch // visible ones, in order; the first may begin before what was asked for
	next    int64                 // offset behind all of them, and behind what is not visible
	atEnd   bool                  // nothing was behind that
	err     error                 // the last one
}

func (f *fetcher) committed() bool { return !f.cfg.ReadUncommitted }

// locate resolves the position's open ends and checks that it is there.
func (f *fetcher) locate(ctx context.Context) error {
	oldest, newest, err := f.bounds(ctx)
	if err != nil {
		return err
	}
	if f.at.next == offsetEarliest {
		f.at.next = oldest
	}
	if f.cfg.Bounded && f.at.end == endNone {
		f.at.end = newest
	}
	if !f.cfg.Bounded {
		f.at.end = endNone
	}
	if f.stop == endNone || f.at.end != endNone && f.at.end < f.stop {
		f.stop = f.at.end
	}
	f.newest = newest
	if f.at.next < oldest && !f.ended(f.at.next) || f.at.next > newest {
		return f.outOfRange(f.at.next, oldest, newest)
	}
	return nil
}

func (f *fetcher) bounds(ctx context.Context) (oldest, newest int64, err error) {
	found := map[kafka.Partition]int64{}
	ask := []kafka.Partition{f.partition}
	if err = f.conn.Offsets(ctx, kafka.Oldest, f.committed(), ask, found); err != nil {
		return 0, 0, err
	}
	oldest = found[f.partition]
	err = f.conn.Offsets(ctx, kafka.Newest, f.committed(), ask, found)
	return oldest, found[f.partition], err
}

func (f *fetcher) ended(next int64) bool { return f.stop != endNone && next >= f.stop }

func (f *fetcher) outOfRange(wanted, oldest, newest int64) error {
	return fmt.Errorf("kafka source: offset %d of %s is gone: the partition has %d to %d; "+
		"its records were deleted by age or size, or the topic is another one: start a new lineage to read on from there",
		wanted, f.partition, oldest, newest)
}

// run fetches until the end, an error or stop, and hands over through out.
func (f *fetcher) run(out chan<- fetched, stop <-chan struct{}) {
	next := f.at.next
	empty, said := next >= f.newest, false // nothing is behind next; and that was handed over
	for !f.ended(next) {
		got := fetched{next: next, atEnd: true}
		if !empty || said {
			got = f.fetch(next)
		}
		if got.err == nil && len(got.batches) == 0 && got.next == next && (said || !got.atEnd) {
			select {
			case <-stop:
				return
			default:
				continue
			}
		}
		select {
		case out <- got:
		case <-stop:
			return
		}
		if got.err != nil {
			return
		}
		next, empty, said = got.next, false, got.atEnd
	}
}

func (f *fetcher) fetch(offset int64) fetched {
	req := &sarama.FetchRequest{
		Version:      fetchAPIVersion,
		MinBytes:     1,
		MaxBytes:     int32(f.bytes),
		MaxWaitTime:  int32(f.cfg.FetchWait / time.Millisecond),
		SessionEpoch: -1, // no fetch session: one partition a connection has nothing to leave out
	}
	if f.committed() {
		req.Isolation = sarama.ReadCommitted
	}
	req.AddBlock(f.partition.Topic, f.partition.ID, offset, int32(f.bytes), -1)
	res, err := f.conn.Fetch(req)
	if err != nil {
		return fetched{err: f.failed(offset, err)}
	}
	block := res.GetBlock(f.partition.Topic, f.partition.ID)
	if block == nil {
		return fetched{err: f.failed(offset, sarama.ErrIncompleteResponse)}
	}
	if block.Err != sarama.ErrNoError {
		return fetched{err: f.refused(offset, block.Err)}
	}
	got, err := f.visible(offset, block)
	if err != nil {
		return fetched{err: f.failed(offset, err)}
	}
	end := block.HighWaterMarkOffset
	if f.committed() {
		end = block.LastStableOffset
	}
	got.atEnd = got.next >= end
	return got
}

func (f *fetcher) failed(offset int64, err error) error {
	return transient(fmt.Errorf("kafka source: fetch %s at offset %d from %q: %w", f.partition, offset, f.conn.Addr(), err))
}

func (f *fetcher) refused(offset int64, err error) error {
	if !errors.Is(err, sarama.ErrOffsetOutOfRange) {
		return f.failed(offset, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), kafka.RequestTimeout)
	defer cancel()
	oldest, newest, boundsErr := f.bounds(ctx)
	if boundsErr != nil {
		return f.failed(offset, errors.Join(err, boundsErr))
	}
	return f.outOfRange(offset, oldest, newest)
}

// visible picks the batches that a reader may see: no control batches, and none of aborted transactions.
func (f *fetcher) visible(offset int64, block *sarama.FetchResponseBlock) (fetched, error) {
	got := fetched{next: offset}
	aborted := newAborted(block.AbortedTransactions)
	for _, records := range block.RecordsSet {
		b := records.RecordBatch
		if b == nil {
			return got, errors.New("records in the format of Kafka before 0.11: rewrite the topic with a newer broker")
		}
		if b.PartialTrailingRecord {
			// Cut by the size of the fetch. It begins where the ones before ended, also when those were empty and are not here.
			got.next = max(got.next, b.FirstOffset)
			if len(got.batches) == 0 && got.next == offset {
				return got, f.grow()
			}
			break
		}
		f.bytes = f.cfg.FetchBytes
		got.next = max(got.next, b.LastOffset()+1)
		if !aborted.hides(b) || f.cfg.ReadUncommitted && !b.Control {
			got.batches = append(got.batches, b)
		}
	}
	if len(block.RecordsSet) == 0 {
		got.next = max(got.next, behindEmpty(block))
	}
	return got, nil
}

// grow asks for more in the next fetch, because a batch did not fit.
func (f *fetcher) grow() error {
	if f.bytes >= fetchBytesMax {
		return fmt.Errorf("the batch of records there is damaged, or larger than %d bytes", f.bytes)
	}
	f.bytes *= 2
	return nil
}

// behindEmpty is the offset behind batches that compaction has emptied: sarama leaves them out, and keeps where they end
// in a field of its own. Without it a partition whose fetch brings only such batches would never get on.
func behindEmpty(block *sarama.FetchResponseBlock) int64 {
	field := reflect.ValueOf(block).Elem().FieldByName("recordsNextOffset")
	if !field.IsValid() || field.Kind() != reflect.Pointer || field.IsNil() {
		return -1
	}
	return field.Elem().Int()
}
