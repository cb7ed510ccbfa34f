package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// Metadata is what the cluster said about topics.
type Metadata struct {
	Topics []Topic // sorted by name
	addrs  map[int32]string
}

// Topic is a topic as the cluster knows it.
type Topic struct {
	Name     string
	ID       [16]byte // zero when the brokers are too old to have one
	Internal bool
	leaders  []int32 // per partition; -1 = none now
	err      error
}

// Partitions is the number of partitions, numbered from 0.
func (t Topic) Partitions() int { return len(t.leaders) }

const (
	settleTriesMax  = 25
	missingTriesMax = 6
	settleEvery     = 100 * time.Millisecond
)

// Metadata asks the cluster about topics; none named are all there are. A topic that is missing is an error that lists
// the others. One just created is waited for a little: not every broker knows it at once, and it may have no leader yet.
// Asking creates no topic.
func (c Cluster) Metadata(ctx context.Context, topics ...string) (*Metadata, error) {
	for try := 1; ; try++ {
		m, err := c.metadata(ctx, topics)
		if err != nil {
			return nil, err
		}
		err = m.missing(topics)
		unknown := errors.Is(err, sarama.ErrUnknownTopicOrPartition)
		switch {
		case err == nil:
			return m, nil
		case unknown && try >= missingTriesMax:
			return nil, c.nameOthers(ctx, err)
		case !unknown && !errors.Is(err, sarama.ErrLeaderNotAvailable), try == settleTriesMax:
			return nil, err
		}
		if err := pause(ctx, settleEvery); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// metadata asks the brokers one after the other until one answers.
func (c Cluster) metadata(ctx context.Context, topics []string) (*Metadata, error) {
	var errs []error
	for _, addr := range c.Brokers {
		res, err := c.askMetadata(ctx, addr, topics)
		if err == nil {
			return newMetadata(res), nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("kafka: no broker answers: %w", errors.Join(errs...))
}

func (c Cluster) askMetadata(ctx context.Context, addr string, topics []string) (res *sarama.MetadataResponse, err error) {
	conn, err := c.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	err = conn.Do(ctx, func() error {
		res, err = conn.GetMetadata(sarama.NewMetadataRequest(sarama.V3_9_0_0, topics))
		return err
	})
	switch {
	case err == nil:
		reached.Store(c.way(addr), true)
	case ctx.Err() == nil:
		err = fmt.Errorf("metadata from %q: %w", addr, c.cause(ctx, addr, err))
	}
	return res, err
}

func newMetadata(res *sarama.MetadataResponse) *Metadata {
	m := &Metadata{addrs: make(map[int32]string, len(res.Brokers))}
	for _, b := range res.Brokers {
		m.addrs[b.ID()] = b.Addr()
	}
	for _, t := range res.Topics {
		topic := Topic{Name: t.Name, ID: t.Uuid, Internal: t.IsInternal, leaders: make([]int32, len(t.Partitions))}
		if t.Err != sarama.ErrNoError {
			topic.err = t.Err
		}
		for i := range topic.leaders {
			topic.leaders[i] = -1
		}
		for _, p := range t.Partitions {
			if p.ID >= 0 && int(p.ID) < len(topic.leaders) {
				topic.leaders[p.ID] = p.Leader
			}
		}
		m.Topics = append(m.Topics, topic)
	}
	slices.SortFunc(m.Topics, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	return m
}

// missing reports the topics among those asked for that cannot be used, and why.
func (m *Metadata) missing(topics []string) error {
	var errs []error
	for _, name := range topics {
		t, ok := m.Topic(name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("kafka: topic %q: %w", name, sarama.ErrUnknownTopicOrPartition))
		case t.err != nil:
			errs = append(errs, fmt.Errorf("kafka: topic %q: %w", name, t.err))
		case slices.Contains(t.leaders, -1):
			errs = append(errs, fmt.Errorf("kafka: topic %q: partition %d: %w", name, slices.Index(t.leaders, -1), sarama.ErrLeaderNotAvailable))
		}
	}
	return errors.Join(errs...)
}

// topicsListedMax is how many topics an error names.
const topicsListedMax = 20

func (c Cluster) nameOthers(ctx context.Context, err error) error {
	m, listErr := c.metadata(ctx, nil)
	if listErr != nil {
		return err
	}
	var names []string
	for _, t := range m.Topics {
		if !t.Internal {
			names = append(names, t.Name)
		}
	}
	more := ""
	if len(names) > topicsListedMax {
		more = fmt.Sprintf(" and %d more", len(names)-topicsListedMax)
		names = names[:topicsListedMax]
	}
	return fmt.Errorf("%w: create it, or use one of %q%s", err, names, more)
}

// Topic is the topic called name.
func (m *Metadata) Topic(name string) (Topic, bool) {
	i, ok := slices.BinarySearchFunc(m.Topics, name, func(t Topic, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return Topic{}, false
	}
	return m.Topics[i], true
}

// Leader is the address of the broker that leads a partition.
func (m *Metadata) Leader(topic string, partition int32) (addr string, err error) {
	t, ok := m.Topic(topic)
	if !ok {
		return "", fmt.Errorf("kafka: topic %q: %w", topic, sarama.ErrUnknownTopicOrPartition)
	}
	if partition < 0 || int(partition) >= len(t.leaders) {
		return "", fmt.Errorf("kafka: topic %q has no partition %d, only %d of them: %w", topic, partition, len(t.leaders), sarama.ErrUnknownTopicOrPartition)
	}
	addr, ok = m.addrs[t.leaders[partition]]
	if !ok {
		return "", fmt.Errorf("kafka: topic %q, partition %d: %w", topic, partition, sarama.ErrLeaderNotAvailable)
	}
	return addr, nil
}
