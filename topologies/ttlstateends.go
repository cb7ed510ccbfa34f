package topologies

import (
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks/kafkasink"
)

func buildTTLState(job *millrace.Job, o *runner.Options, kafka *runner.Kafka) error {
	if err := kafka.Unused(); err != nil {
		return err
	}
	if !kafka.Given() {
		showTallies(TTLState(o.Rows(job, "rows", rowsPerSecond, 2).Map("key", rowKey)), o)
		return nil
	}
	in, err := messages(job, o, kafka)
	if err != nil {
		return err
	}
	tallies := TTLState(in.Map("key", messageKey))
	showTallies(tallies, o)
	cfg, err := kafka.SinkConfig(o)
	tallies.To("out", kafkasink.New(cfg, codec.JSON[Tally]()).Key(tallyKey))
	return err
}

func showTallies(tallies millrace.Stream[Tally], o *runner.Options) {
	tallies.To("view", o.Latest([]string{"key", "value", "list", "map"}, func(t Tally) []string {
		return []string{t.Key, fmt.Sprint(t.Value), fmt.Sprint(t.List), fmt.Sprint(t.Map)}
	}))
}
