package topologies

import (
	"flag"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/kafkasource"
	"github.com/millrace-io/millrace/state"
)

// Stamped is a value with its timestamp.
type Stamped struct {
	TimeNS int64 // since the Unix epoch
	Value  string
}

// String is the key of the output: the time in UTC, a comma, the value.
func (s Stamped) String() string {
	return time.Unix(0, s.TimeNS).UTC().Format(time.RFC3339Nano) + "," + s.Value
}

// CountByValue counts equal values of equal timestamps.
func CountByValue(values millrace.Stream[Stamped]) millrace.Table[Stamped, int64] {
	return values.KeyBy(itself[Stamped]).Count("count", state.Forever)
}

func stampedMessage(m kafkasource.Message) Stamped {
	return Stamped{m.Time.UnixNano(), string(m.Value)}
}

// stampedRow makes ten values a second of rows, so that there is something to count.
func stampedRow(r sources.RateRow) Stamped {
	return Stamped{r.Timestamp.Truncate(time.Second).UnixNano(), string('0' + rune(r.Value%10))}
}

const rowsPerSecond = 100

var countByValue = runner.Topology{
	Name: "count-by-value",
	Doc:  "S7: counts records by (timestamp, value); each change of a count goes to Kafka, or is shown",
	Flags: func(fs *flag.FlagSet) runner.Build {
		kafka := runner.RegisterKafka(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			if !kafka.Given() {
				rows := o.Rows(job, "rows", rowsPerSecond, 2).Map("stamp", stampedRow)
				return showCounts(CountByValue(rows), o, kafka)
			}
			in, err := messages(job, o, kafka)
			if err != nil {
				return err
			}
			return showCounts(CountByValue(in.Map("stamp", stampedMessage)), o, kafka)
		}
	},
}

// showCounts shows the counts and, when there are brokers, writes their changes to the output topic.
func showCounts(counts millrace.Table[Stamped, int64], o *runner.Options, kafka *runner.Kafka) error {
	counts.To("view", o.Top[Stamped]("timestamp,value", "count", Stamped.String), millrace.Update)
	if !kafka.Given() {
		return kafka.Unused()
	}
	cfg, err := kafka.SinkConfig(o)
	counts.To("out", kafkasink.New(cfg, codec.Codec[millrace.Pair[Stamped, int64]](countCodec[Stamped]{})).Key(stampedKey), millrace.Update)
	return err
}

func stampedKey(p millrace.Pair[Stamped, int64]) []byte { return []byte(p.Key.String()) }
