package topologies

import (
	"flag"
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

var kafkaUnion = runner.Topology{
	Name: "kafka-union",
	Doc:  "S5: the union of Kafka topics, each a source of its own and in its own order, into one",
	Flags: func(fs *flag.FlagSet) runner.Build {
		kafka := runner.RegisterKafka(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			if err := kafka.Need(); err != nil {
				return err
			}
			all, err := topicUnion(job, o, kafka)
			if err != nil {
				return err
			}
			return toTopic(all, o, kafka)
		}
	},
}

// topicUnion reads each input topic as a source and unites them.
func topicUnion(job *millrace.Job, o *runner.Options, kafka *runner.Kafka) (all millrace.Stream[kafkasource.Message], err error) {
	topics := kafka.Topics()
	if len(topics) < 2 {
		return all, fmt.Errorf("a union of %d topics: give at least two, as --topic a,b", len(topics))
	}
	var ids []string
	var srcs []*kafkasource.Source[kafkasource.Message]
	for _, t := range topics {
		src, err := kafka.Messages(t)
		if err != nil {
			return all, err
		}
		ids, srcs = append(ids, "in-"+t), append(srcs, src)
	}
	ins := o.FromEach(job, ids, func(i int) sources.Source[kafkasource.Message] { return srcs[i] })
	return ins[0].Union("union", ins[1:]...), nil
}
