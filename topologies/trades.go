package topologies

import (
	"flag"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

// Trade is an amount that changed hands, and the price of one.
type Trade struct {
	DT     time.Time `json:"dt"`
	Amount float64   `json:"amount"`
	Price  float64   `json:"price"`
}

// Traded is what the trades of a window come to.
type Traded struct{ Volume, Amount float64 }

func (t Traded) and(v Trade) Traded { return Traded{t.Volume + v.Amount*v.Price, t.Amount + v.Amount} }

func (t Traded) merge(later Traded) Traded {
	return Traded{t.Volume + later.Volume, t.Amount + later.Amount}
}

// Everything is the key of a stream that is not divided.
type Everything struct{}

// averages is the average price, by amount, of the trades of each window.
func averages(trades millrace.Stream[Trade], mark millrace.Watermark, w millrace.Sliding, f millrace.Firing) millrace.Panes[Everything, float64] {
	return trades.EventTime("time", mark, func(t Trade) time.Time { return t.DT }).
		KeyBy(func(Trade) Everything { return Everything{} }).
		Window(w).Firing(f).
		Aggregate("traded", Traded.and, Traded.merge).
		MapValues("average", func(p millrace.Pane[Everything, Traded]) float64 { return p.Value.Volume / p.Value.Amount })
}

// TradesAverage is the average price of all trades in windows of ten minutes, one for each five. Under update and append output a
// trade is on time until it is 20 minutes behind the newest; complete output has no use for a watermark and drops none.
func TradesAverage(trades millrace.Stream[Trade], m millrace.Mode) millrace.Panes[Everything, float64] {
	mark := millrace.Watermark{Delay: tradesDelay}
	if m == millrace.Complete {
		mark = millrace.Watermark{}
	}
	return averages(trades, mark, millrace.Sliding{Size: 10 * time.Minute, Slide: 5 * time.Minute}, millrace.Firing{})
}

const tradesDelay = 20 * time.Minute

var tradesAverage = runner.Topology{
	Name: "trades-average",
	Doc:  "S17: the average price of JSON trades in sliding windows; update, append or complete output",
	Flags: func(fs *flag.FlagSet) runner.Build {
		in, out := registerInput(fs), output(millrace.Update)
		fs.TextVar(&out, "mode", out, "of the output: update, append or complete")
		return func(job *millrace.Job, o *runner.Options) error {
			trades, err := in.from(job, o, "trades", tradesPerSecond, LateTrade)
			if err != nil {
				return err
			}
			prices := TradesAverage(trades, millrace.Mode(out))
			prices.To("view", o.Changed([]string{"from", "to", "average price"}, millrace.Pane[Everything, float64].Row, priceCells(clockFormat)), millrace.Mode(out))
			return in.writesPanes(o, prices, millrace.Mode(out))
		}
	},
}
