package topologies

import (
	"flag"
	"strconv"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

// duplicatesDelay is how much later than the newest record a record may come and be on time.
const duplicatesDelay = 10 * time.Second

// DropDuplicates passes the first record of each (timestamp, value). What it remembers is bounded: a timestamp is forgotten when
// the watermark has passed it, and what comes behind the watermark is late and never new.
func DropDuplicates[T any](in millrace.Stream[T], stamp func(T) Stamped) millrace.Stream[T] {
	at := func(v T) time.Time { return time.Unix(0, stamp(v).TimeNS) }
	return in.EventTime("time", millrace.Watermark{Delay: duplicatesDelay}, at).KeyBy(stamp).Dedup("unique")
}

// RepeatedRow makes a hundred rows a second of event time, of which every fourth repeats one of the hundred before it.
func RepeatedRow(i int64) Stamped {
	if below(i, 4) == 0 {
		i = max(i-1-below(^i, 100), 0)
	}
	return Stamped{generatedAt(i, 10*time.Millisecond, time.Second).UnixNano(), strconv.FormatInt(i%10, 10)}
}

var dropDuplicates = runner.Topology{
	Name: "drop-duplicates",
	Doc:  "S6: passes the first record of each (timestamp, value), with state that the watermark bounds",
	Flags: func(fs *flag.FlagSet) runner.Build {
		kafka := runner.RegisterKafka(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			if !kafka.Given() {
				unique := DropDuplicates(o.Generate(job, "rows", rowsPerSecond, RepeatedRow), itself[Stamped])
				unique.To("view", o.Newest([]string{"timestamp,value"}, func(s Stamped) []string { return []string{s.String()} }))
				return kafka.Unused()
			}
			in, err := messages(job, o, kafka)
			if err != nil {
				return err
			}
			unique := DropDuplicates(in, stampedMessage)
			unique.Map("stamp", stampedMessage).To("view", o.Newest([]string{"timestamp,value"}, func(s Stamped) []string { return []string{s.String()} }))
			return toTopic(unique, o, kafka)
		}
	},
}
