package operators_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/operators"
)

// Records come to one slice whatever the windows are; panes of few slices, and of many.
func BenchmarkSliding(b *testing.B) {
	for name, slide := range map[string]time.Duration{"2 slices": 5 * time.Second, "100 slices": 100 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			x, panes := newBed(b), 0
			f, err := operators.NewAligned(x.env, "window", operators.Sliding(10*time.Second, slide, 0), operators.WindowConfig{Finals: true},
				click.ad, operators.SumOf(func(c click) int64 { return c.Value }), nil, func(operators.Pane[int64, int64]) { panes++ })
			if err != nil {
				b.Fatal(err)
			}
			x.feed(b, func(_ int, c click) {
				x.env.Hash = x.hash(c.Ad)
				f(c)
			})
			b.ReportMetric(float64(panes)/float64(b.N), "panes")
		})
	}
}
