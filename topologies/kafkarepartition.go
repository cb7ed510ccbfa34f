package topologies

import (
	"flag"
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// RepartitionByKey spreads messages to tasks by key, so that those of one key keep their order; those without a key go
// anywhere.
func RepartitionByKey(in millrace.Stream[kafkasource.Message], tasks int) millrace.Stream[kafkasource.Message] {
	return in.RepartitionBy("repartition", tasks, spread)
}

// spread is the same for all messages of a key. It is FNV-1a, as a number: a string would be made for each record.
func spread(m kafkasource.Message) uint64 {
	if m.Key == nil {
		return mix(uint64(m.Offset)<<16 ^ uint64(m.Partition))
	}
	h := uint64(0xcbf29ce484222325)
	for _, c := range m.Key {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return h
}

var kafkaRepartition = runner.Topology{
	Name: "kafka-repartition",
	Doc:  "S2: kafka-copy through a repartition: the output is written by 20 tasks, dealt round or by key",
	Flags: func(fs *flag.FlagSet) runner.Build {
		kafka := runner.RegisterKafka(fs)
		tasks := fs.Int("to-tasks", 20, "`TASKS` that write the output")
		byKey := fs.Bool("by-key", false, "send all records of a key through one task, in order")
		return func(job *millrace.Job, o *runner.Options) error {
			if err := kafka.Need(); err != nil {
				return err
			}
			if *tasks < 1 || *tasks > tasksMax {
				return fmt.Errorf("--to-tasks is %d, want 1 to %d", *tasks, tasksMax)
			}
			in, err := messages(job, o, kafka)
			if err != nil {
				return err
			}
			if *byKey {
				return toTopic(RepartitionByKey(in, *tasks), o, kafka)
			}
			return toTopic(in.Repartition("repartition", *tasks), o, kafka)
		}
	},
}

// tasksMax is the number of key groups of a new lineage: more tasks would have none.
const tasksMax = 128
