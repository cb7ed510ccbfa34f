package main

import (
	"context"
	"errors"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// copyMillrace is the same copy as a user of Millrace writes it. Unlike the floor it survives failures: state is
// exactly-once, and every second an epoch waits for all acknowledgements and records the offsets on disk. The source is
// bounded and ends with the topic, so a topic holds the job's records and no others. The sink places a record by its key;
// the order of an input partition is kept within each output partition.
func copyMillrace(ctx context.Context, j job) error {
	in := kafkasource.Config{
		Brokers: j.brokers, Topics: []string{j.in}, Bounded: true,
		FetchBytes: fetchBytes, ClientID: clientID,
	}
	out := kafkasink.Config{
		Brokers: j.brokers, Topic: j.out,
		Compression: "none", Linger: linger, ClientID: clientID,
	}
	copying := millrace.NewJob("kafka-copy")
	copying.From("in", kafkasource.Messages(in)).To("out", kafkasink.Messages(out))
	query, err := copying.Start(ctx, millrace.Config{
		Parallelism: j.partitions, // the floor has a goroutine for each
		RestartsMax: -1,           // a benchmark that fails should say so
	})
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	<-query.Done() // ctx stops it; waiting for less would leave its state directory behind
	return errors.Join(query.Err(), context.Cause(ctx))
}
