package kafkasink

import (
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/kafka"
)

// writes notes that the open transaction has a record for part. The lock is held.
func (x *transactions) writes(part *partition) {
	x.written = true
	if part.standing == unknown {
		part.standing = asked
		x.toAdd = append(x.toAdd, part)
	}
}

// wrote notes where a record of the open transaction lies. The newest is kept: the marker of the transaction's end is not far
// behind it. The lock is held.
func (x *transactions) wrote(part *partition, offset int64) {
	if offset >= 0 { // a broker that has a batch already may not know where
		x.current.place = kafka.Place{Topic: part.topic, Partition: part.id, Offset: offset}
	}
}

// ring wakes enroll when there is something for it. The lock is held.
func (x *transactions) ring() {
	if len(x.toAdd) == 0 {
		return
	}
	select {
	case x.bell <- struct{}{}:
	default:
	}
}

// enroll tells the coordinator of the open transaction about partitions, before anything is sent to them.
func (x *transactions) enroll() {
	for {
		select {
		case <-x.bell:
		case <-x.ctx.Done():
			return
		}
		x.mu.Lock()
		n, parts := x.current, x.toAdd
		x.toAdd = nil
		x.mu.Unlock()
		if len(parts) == 0 {
			continue
		}
		topics := map[string][]int32{}
		for _, part := range parts {
			topics[part.topic] = append(topics[part.topic], part.id)
		}
		fault.Point("kafka/add-partitions")
		err := n.Add(x.ctx, n.producer, topics)
		if x.ctx.Err() != nil {
			return
		}
		if err != nil {
			x.fail(x.failed(err))
			continue
		}
		fault.Point("kafka/partitions-added")
		x.mu.Lock()
		for _, part := range parts {
			part.standing = added
			part.sender.ring()
		}
		x.mu.Unlock()
	}
}
