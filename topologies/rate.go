package topologies

import (
	"flag"
	"fmt"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sources"
)

var rate = runner.Topology{
	Name: "rate",
	Doc:  "S10: numbered rows at a steady rate, shown live",
	Flags: func(fs *flag.FlagSet) runner.Build {
		perSecond := fs.Int64("rows-per-second", 10, "`ROWS` per second over all partitions, unless --rate says otherwise")
		partitions := fs.Int("partitions", 1, "`SPLITS` of the source, fixed at the first start")
		return func(job *millrace.Job, o *runner.Options) error {
			if *perSecond < 1 || *partitions < 1 {
				return fmt.Errorf("--rows-per-second is %d and --partitions %d, want at least 1 each", *perSecond, *partitions)
			}
			o.Rows(job, "rows", *perSecond, *partitions).To("view", o.Latest([]string{"timestamp", "value"}, rateCells))
			return nil
		}
	},
}

func rateCells(r sources.RateRow) []string {
	return []string{r.Timestamp.Format(time.RFC3339Nano), fmt.Sprint(r.Value)}
}
