package kafkasource

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/internal/kafka"
)

// Start is where partitions are begun at the first start of a lineage. The zero value is Earliest.
type Start struct {
	latest  bool
	at      time.Time
	offsets map[string]map[int32]int64
}

var (
	// Earliest begins at the oldest record there is.
	Earliest = Start{}
	// Latest begins behind the newest record there was at the first start of the lineage.
	Latest = Start{latest: true}
)

// At begins with the first record whose timestamp is not before t; without one, at the end.
func At(t time.Time) Start { return Start{at: t} }

// Offsets begins at given offsets, per topic and partition; partitions without one begin at their oldest record.
func Offsets(offsets map[string]map[int32]int64) Start { return Start{offsets: offsets} }

func (s Start) validate() error {
	for topic, partitions := range s.offsets {
		for p, offset := range partitions {
			if offset < 0 || p < 0 {
				return fmt.Errorf("start offset %d of partition %d of %q is negative", offset, p, topic)
			}
		}
	}
	return nil
}

// exist reports a given offset of a partition that is not there.
func (s Start) exist(m *kafka.Metadata) error {
	for topic, partitions := range s.offsets {
		t, _ := m.Topic(topic)
		for p, offset := range partitions {
			if int(p) >= t.Partitions() {
				return fmt.Errorf("kafka source: start offset %d of %s/%d: topic has %d partitions", offset, topic, p, t.Partitions())
			}
		}
	}
	return nil
}

// resolve finds the first offset of each partition. Earliest stays open until a partition is opened: what is deleted
// in between by age is no loss.
func (s Start) resolve(ctx context.Context, c kafka.Cluster, m *kafka.Metadata, committed bool, ps []kafka.Partition) (map[kafka.Partition]int64, error) {
	found := make(map[kafka.Partition]int64, len(ps))
	for _, p := range ps {
		found[p] = offsetEarliest
		if offset, ok := s.offsets[p.Topic][p.ID]; ok {
			found[p] = offset
		}
	}
	if !s.latest && s.at.IsZero() {
		return found, nil
	}
	newest, err := c.Offsets(ctx, m, kafka.Newest, committed, ps)
	if err != nil || s.latest {
		return newest, err
	}
	found, err = c.Offsets(ctx, m, s.at.UnixMilli(), committed, ps)
	for p, offset := range found {
		if offset < 0 {
			found[p] = newest[p]
		}
	}
	return found, err
}
