package topologies

import (
	"flag"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

const (
	// liveDelay is how much later than the newest trade one may come.
	liveDelay = 50 * time.Millisecond
	// liveEvery is how often the price of the last second is computed anew, and how often windows that are open are shown.
	liveEvery = 100 * time.Millisecond
)

// TradesLive is the average price of the trades of the last second, ten times a second.
func TradesLive(trades millrace.Stream[Trade]) millrace.Panes[Everything, float64] {
	return averages(trades, millrace.Watermark{Delay: liveDelay}, millrace.Sliding{Size: time.Second, Slide: liveEvery}, millrace.Firing{Every: liveEvery})
}

var tradesLive = runner.Topology{
	Name: "trades-live",
	Doc:  "S22: the average price of the last second of bitcoin trades, refreshed live",
	Flags: func(fs *flag.FlagSet) runner.Build {
		in := registerInput(fs)
		return func(job *millrace.Job, o *runner.Options) error {
			trades, err := in.from(job, o, "trades", tradesPerSecond, LiveTrade)
			if err != nil {
				return err
			}
			prices := TradesLive(trades)
			prices.To("view", o.Changed([]string{"from", "to", "average price"}, millrace.Pane[Everything, float64].Row, priceCells(finestFormat)), millrace.Update)
			return in.writesPanes(o, prices, millrace.Update)
		}
	},
}
