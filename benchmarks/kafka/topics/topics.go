// Package topics makes the topics of a benchmark on a broker, and removes them in the end.
package topics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

// Set makes topics and removes in the end those that are left.
type Set struct {
	client sarama.Client
	admin  sarama.ClusterAdmin
	made   map[string]bool
}

// Open connects.
func Open(brokers []string, settings *sarama.Config) (*Set, error) {
	client, err := sarama.NewClient(brokers, settings)
	if err != nil {
		return nil, fmt.Errorf("connect to %v: %w; start a broker with make kafka", brokers, err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %v: %w", brokers, err), client.Close())
	}
	return &Set{client, admin, map[string]bool{}}, nil
}

// Create makes a topic, configured as config says if that is not nil, and waits until all its partitions have a leader.
func (t *Set) Create(ctx context.Context, name string, partitions int, config map[string]string) error {
	detail := &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for key, value := range config {
		detail.ConfigEntries[key] = &value
	}
	if err := t.admin.CreateTopic(name, detail, false); err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	t.made[name] = true
	for range 200 {
		if t.led(name, partitions) {
			return nil
		}
		if err := harness.Wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("topic %s: no leader for each of its %d partitions within 10 s", name, partitions)
}

// led says whether all partitions of a topic have a leader that knows it is. An error means not yet.
func (t *Set) led(name string, partitions int) bool {
	if t.client.RefreshMetadata(name) != nil {
		return false
	}
	for p := range partitions {
		if _, err := t.client.GetOffset(name, int32(p), sarama.OffsetNewest); err != nil {
			return false
		}
	}
	return true
}

// Remove deletes a topic.
func (t *Set) Remove(name string) error {
	delete(t.made, name)
	if err := t.admin.DeleteTopic(name); err != nil {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	return nil
}

// Close deletes what is left and disconnects.
func (t *Set) Close() error {
	if t == nil { // never connected
		return nil
	}
	var errs []error
	for name := range t.made {
		errs = append(errs, t.Remove(name))
	}
	return errors.Join(append(errs, t.admin.Close())...) // closes the client too
}
