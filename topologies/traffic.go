package topologies

import (
	"flag"
	"strconv"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

// Counted is what a counter at a road has counted since its last report.
type Counted struct {
	Zip      string    `json:"zip"`
	Time     time.Time `json:"time"`
	Vehicles int64     `json:"vehicles"`
}

const trafficDelay = 2 * time.Minute

// Traffic is the number of vehicles in each zip code, in windows of ten minutes, one for each five, from two minutes past the hour.
func Traffic(reports millrace.Stream[Counted]) millrace.Panes[string, int64] {
	return reports.EventTime("time", millrace.Watermark{Delay: trafficDelay}, func(c Counted) time.Time { return c.Time }).
		KeyBy(func(c Counted) string { return c.Zip }).
		Window(millrace.Sliding{Size: 10 * time.Minute, Slide: 5 * time.Minute, Offset: 2 * time.Minute}).
		Sum("vehicles", func(c Counted) int64 { return c.Vehicles })
}

var traffic = runner.Topology{
	Name: "traffic",
	Doc:  "S18: vehicles per zip code of JSON reports, in sliding windows that begin two minutes past the hour",
	Flags: func(fs *flag.FlagSet) runner.Build {
		in := registerInput(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			reports, err := in.from(job, o, "reports", reportsPerSecond, MakeReport)
			if err != nil {
				return err
			}
			vehicles := Traffic(reports)
			vehicles.To("view", o.Changed([]string{"zip", "from", "to", "vehicles"}, millrace.Pane[string, int64].Row, func(p millrace.Pane[string, int64]) []string {
				return []string{p.Key, p.Start.UTC().Format(clockFormat), p.End.UTC().Format(clockFormat), strconv.FormatInt(p.Value, 10)}
			}), millrace.Update)
			return in.writesPanes(o, vehicles, millrace.Update)
		}
	},
}

const reportsPerSecond = 600

// MakeReport makes a report a second of event time.
func MakeReport(i int64) Counted {
	return Counted{strconv.FormatInt(94100+below(i, 8), 10), generatedAt(i, time.Second, trafficDelay), below(^i, 30)}
}
