package topologies

import (
	"flag"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

var unionCount = runner.Topology{
	Name: "union-count",
	Doc:  "S8: the union of Kafka topics, counted by (timestamp, value); without --brokers, of two built-in inputs",
	Flags: func(fs *flag.FlagSet) runner.Build {
		kafka := runner.RegisterKafka(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			if !kafka.Given() {
				return showCounts(CountByValue(rowUnion(job, o)), o, kafka)
			}
			all, err := topicUnion(job, o, kafka)
			if err != nil {
				return err
			}
			return showCounts(CountByValue(all.Map("stamp", stampedMessage)), o, kafka)
		}
	},
}

// rowUnion unites two inputs of rows that share the pace.
func rowUnion(job *millrace.Job, o *runner.Options) millrace.Stream[Stamped] {
	rows := o.RowsEach(job, []string{"rows-a", "rows-b"}, rowsPerSecond, 1)
	return rows[0].Union("union", rows[1]).Map("stamp", stampedRow)
}
