package kafkasink

import (
	"math"
	"time"

	"github.com/IBM/sarama"
)

// partition is where a producer stands with one partition. All of it is guarded by the producer's mutex, except the
// batch in flight, which is its sender's.
type partition struct {
	topic    string
	id       int32
	sender   *sender  // of the leader, as last known
	queue    []*batch // in order; the first is the one in flight
	inFlight bool
	sequence int32 // of the next record, of this producer
	standing standing
}

// standing is where a partition stands with the open transaction. Nothing is sent before it is added.
type standing uint8

const (
	unknown standing = iota
	asked
	added
)

// last is the batch that records are added to; nil when there is none.
func (p *partition) last() *batch {
	if n := len(p.queue); n > 1 || n == 1 && !p.inFlight && !p.queue[0].sent {
		return p.queue[n-1]
	}
	return nil
}

// batch is records of one partition that are sent together. Its memory is used again.
type batch struct {
	records []sarama.Record
	refs    []*sarama.Record // of records, made when it is sent
	bytes   []byte           // their keys and values, when they are not shared
	size    int              // about what they take on the wire
	firstMS int64
	lastMS  int64 // the latest

	born     time.Time // for Linger
	tried    time.Time // when it was first sent
	sent     bool      // at least once: its records and sequence are fixed, or the brokers could not tell a repetition
	sequence int32
}

const (
	recordBytes = 24 // about what a record takes beside key, value and headers
	headerBytes = 4
)

func sizeOf(out *outgoing) int {
	n := recordBytes + len(out.key) + len(out.value)
	for _, h := range out.headers {
		n += headerBytes + len(h.Key) + len(h.Value)
	}
	return n
}

func (b *batch) reset() {
	clear(b.records)
	clear(b.refs)
	*b = batch{records: b.records[:0], refs: b.refs[:0], bytes: b.bytes[:0]}
}

func (b *batch) add(out *outgoing, size int) {
	if len(b.records) == 0 {
		b.firstMS, b.lastMS = out.timeMS, out.timeMS
	}
	b.lastMS = max(b.lastMS, out.timeMS)
	r := sarama.Record{
		TimestampDelta: time.Duration(out.timeMS-b.firstMS) * time.Millisecond,
		OffsetDelta:    int64(len(b.records)),
		Key:            out.key,
	}
	if !out.tombstone {
		r.Value = out.value
	}
	if !out.shared {
		r.Key, r.Value = b.keep(r.Key), b.keep(r.Value)
	}
	if !out.tombstone && r.Value == nil {
		r.Value = []byte{}
	}
	if len(out.headers) > 0 {
		r.Headers = make([]*sarama.RecordHeader, len(out.headers))
		for i, h := range out.headers {
			r.Headers[i] = &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value}
		}
	}
	b.records = append(b.records, r)
	b.size += size
}

// keep copies p, which its owner may change, into the batch. Copies made before stay where they are when memory grows.
func (b *batch) keep(p []byte) []byte {
	if p == nil {
		return nil
	}
	at := len(b.bytes)
	b.bytes = append(b.bytes, p...)
	return b.bytes[at:len(b.bytes):len(b.bytes)]
}

// encode is the batch as a request takes it. sarama keeps the encoded form in it, so each sending makes its own.
func (b *batch) encode(p *producer) *sarama.RecordBatch {
	b.refs = b.refs[:0]
	for i := range b.records {
		b.refs = append(b.refs, &b.records[i])
	}
	return &sarama.RecordBatch{
		Version:          2,
		Codec:            codecs[p.cfg.Compression],
		CompressionLevel: sarama.CompressionLevelDefault,
		LastOffsetDelta:  int32(len(b.records) - 1),
		FirstTimestamp:   time.UnixMilli(b.firstMS),
		MaxTimestamp:     time.UnixMilli(b.lastMS),
		ProducerID:       p.id,
		ProducerEpoch:    p.epoch,
		IsTransactional:  p.txn != nil,
		FirstSequence:    b.sequence,
		Records:          b.refs,
	}
}

// number gives the batch its sequence. Sequences go round behind the largest int32.
func (p *partition) number(b *batch) {
	if b.sent {
		return
	}
	b.sent, b.sequence = true, p.sequence
	p.sequence = int32((int64(p.sequence) + int64(len(b.records))) & math.MaxInt32)
}
