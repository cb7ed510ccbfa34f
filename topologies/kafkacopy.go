package topologies

import (
	"flag"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

var kafkaCopy = runner.Topology{
	Name: "kafka-copy",
	Doc:  "S1: copies Kafka topics: keys, values, headers, timestamps and the order within partitions are kept",
	Flags: func(fs *flag.FlagSet) runner.Build {
		kafka := runner.RegisterKafka(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			if err := kafka.Need(); err != nil {
				return err
			}
			in, err := messages(job, o, kafka)
			if err != nil {
				return err
			}
			return toTopic(in, o, kafka)
		}
	},
}

// messages is the stream of whole records of all input topics.
func messages(job *millrace.Job, o *runner.Options, kafka *runner.Kafka) (millrace.Stream[kafkasource.Message], error) {
	src, err := kafka.Messages(kafka.Topics()...)
	return o.From[kafkasource.Message](job, "in", src), err
}

// toTopic ends a stream in the output topic.
func toTopic(out millrace.Stream[kafkasink.Message], o *runner.Options, kafka *runner.Kafka) error {
	cfg, err := kafka.SinkConfig(o)
	out.To("out", kafkasink.Messages(cfg))
	return err
}
