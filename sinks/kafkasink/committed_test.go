package kafkasink_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// place is a partition as a reader of committed records sees it.
type place struct {
	b      *broker
	topic  string
	id     [16]byte
	part   int32
	leader int32
}

func (b *broker) places(t testing.TB, topic string) []place {
	t.Helper()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, rt)
	res, err := b.client.Request(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	var ps []place
	for _, p := range res.(*kmsg.MetadataResponse).Topics[0].Partitions {
		ps = append(ps, place{b, topic, res.(*kmsg.MetadataResponse).Topics[0].TopicID, p.Partition, p.Leader})
	}
	return ps
}

// fetch reads from offset on, and says where the next read begins and where transactions are not decided yet.
func (p place) fetch(t testing.TB, offset int64) (records []*kgo.Record, next, stable, end int64) {
	t.Helper()
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = p.part, offset, 1<<20
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID, rt.Partitions = p.topic, p.id, append(rt.Partitions, part)
	req := kmsg.NewPtrFetchRequest()
	req.Topics, req.IsolationLevel, req.MaxBytes, req.MaxWaitMillis, req.SessionEpoch = append(req.Topics, rt), 1, 1<<20, 1, -1
	req.MinBytes = 1
	raw, err := p.b.client.Broker(int(p.leader)).Request(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	got := &raw.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(got.ErrorCode); kerr.IsRetriable(err) {
		return nil, offset, offset + 1, offset + 1 // a topic just created
	} else if err != nil {
		t.Fatal(err)
	}
	opts := kgo.ProcessFetchPartitionOpts{Offset: offset, IsolationLevel: kgo.ReadCommitted(), Topic: p.topic, Partition: p.part}
	fp, next := kgo.ProcessFetchPartition(opts, got, kgo.DefaultDecompressor(), nil)
	return fp.Records, max(offset, next), got.LastStableOffset, got.HighWatermark
}

// committed is what readers of committed records see of a topic. It waits until there are n records, for some seconds.
func (b *broker) committed(t testing.TB, topic string, n int) []string {
	t.Helper()
	var values []string
	places := b.places(t, topic)
	next := make([]int64, len(places))
	for began := time.Now(); ; {
		behind := false
		for i, p := range places {
			for {
				records, at, stable, _ := p.fetch(t, next[i])
				for _, r := range records {
					values = append(values, string(r.Value))
				}
				if at == next[i] || at >= stable {
					next[i] = at
					behind = behind || at < stable
					break
				}
				next[i] = at
			}
		}
		if len(values) >= n && !behind || time.Since(began) > 10*time.Second {
			return values
		}
	}
}

// undecided is how many offsets of a topic readers of committed records may not see yet.
func (b *broker) undecided(t testing.TB, topic string) (n int64) {
	t.Helper()
	for _, p := range b.places(t, topic) {
		_, _, stable, end := p.fetch(t, 0)
		n += end - stable
	}
	return n
}
