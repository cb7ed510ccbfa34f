package topologies

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace"
)

// output is an output mode as a flag.
type output millrace.Mode

// MarshalText implements encoding.TextMarshaler.
func (m output) MarshalText() ([]byte, error) { return []byte(millrace.Mode(m).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *output) UnmarshalText(text []byte) error {
	for _, x := range []millrace.Mode{millrace.Update, millrace.Append, millrace.Complete} {
		if string(text) == x.String() {
			*m = output(x)
			return nil
		}
	}
	return errors.New("want update, append or complete")
}

const tradesPerSecond = 1000

// LateTrade makes a trade a second of event time, of which every second one comes nearly 20 minutes late.
func LateTrade(i int64) Trade {
	t := trade(i)
	t.DT = firstDay.Add(time.Duration(i) * time.Second)
	if i%2 == 1 {
		t.DT = t.DT.Add(-tradesDelay)
	}
	return t
}

// LiveTrade makes a trade each millisecond of event time, a little out of order.
func LiveTrade(i int64) Trade {
	t := trade(i)
	t.DT = generatedAt(i, time.Millisecond, liveDelay)
	return t
}

// trade has an amount and a price in quarters, so that sums have no rounding and their order does not matter. The price goes up and
// down over some thousand trades.
func trade(i int64) Trade {
	wave := i % 8000
	wave = max(wave, 8000-wave) - 6000
	return Trade{Amount: float64(1+below(i, 40)) / 4, Price: 60_000 + float64(wave+below(^i, 400))/4}
}

// priceCells shows a window with its average price.
func priceCells(format string) func(millrace.Pane[Everything, float64]) []string {
	return func(p millrace.Pane[Everything, float64]) []string {
		return []string{p.Start.UTC().Format(format), p.End.UTC().Format(format), fmt.Sprintf("%.2f", p.Value)}
	}
}
