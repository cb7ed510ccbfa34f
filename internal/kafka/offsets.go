package kafka

import (
	"context"
	"fmt"

	"github.com/IBM/sarama"
)

// Where a partition begins and ends, as times to ask Offsets for.
const (
	Oldest = sarama.OffsetOldest
	Newest = sarama.OffsetNewest
)

// Partition names a partition of a topic.
type Partition struct {
	Topic string
	ID    int32
}

// String is the partition as a person writes it, and the id of its split: "orders/3".
func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.ID) }

// Offsets asks the leaders for the first offset of each partition whose record is not older than at (milliseconds since
// the Unix epoch, -1 when there is none), or for the Oldest or Newest. committed means the newest offset that a reader of
// committed transactions gets to.
func (c Cluster) Offsets(ctx context.Context, m *Metadata, at int64, committed bool, partitions []Partition) (map[Partition]int64, error) {
	byLeader := map[string][]Partition{}
	for _, p := range partitions {
		addr, err := m.Leader(p.Topic, p.ID)
		if err != nil {
			return nil, err
		}
		byLeader[addr] = append(byLeader[addr], p)
	}
	found := make(map[Partition]int64, len(partitions))
	for addr, ps := range byLeader {
		if err := c.offsetsFrom(ctx, addr, at, committed, ps, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (c Cluster) offsetsFrom(ctx context.Context, addr string, at int64, committed bool, ps []Partition, found map[Partition]int64) error {
	conn, err := c.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Offsets(ctx, at, committed, ps, found)
}

// Offsets asks one broker as Cluster.Offsets does, for partitions that it leads, and puts the answers into found.
func (c *Conn) Offsets(ctx context.Context, at int64, committed bool, ps []Partition, found map[Partition]int64) error {
	req := sarama.NewOffsetRequest(sarama.V3_9_0_0)
	if committed {
		req.IsolationLevel = sarama.ReadCommitted
	}
	for _, p := range ps {
		req.AddBlock(p.Topic, p.ID, at, 1)
	}
	var res *sarama.OffsetResponse
	err := c.Do(ctx, func() (err error) {
		res, err = c.GetAvailableOffsets(req)
		return err
	})
	if err != nil {
		return fmt.Errorf("kafka: offsets from %q: %w", c.Addr(), err)
	}
	for _, p := range ps {
		block := res.GetBlock(p.Topic, p.ID)
		switch {
		case block == nil:
			return fmt.Errorf("kafka: offsets of %s from %q: %w", p, c.Addr(), sarama.ErrIncompleteResponse)
		case block.Err != sarama.ErrNoError:
			return fmt.Errorf("kafka: offsets of %s from %q: %w", p, c.Addr(), block.Err)
		}
		found[p] = block.Offset
	}
	return nil
}
