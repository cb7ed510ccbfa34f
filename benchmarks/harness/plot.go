package harness

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

var (
	baseColour    = color.Gray{Y: 150}
	subjectColour = color.RGBA{R: 0xc4, G: 0x3e, B: 0x1c, A: 0xff}
)

// percentiles are the labels of the horizontal axis, which is logarithmic in 1/(1-q): each nine is as wide as the one
// before.
var percentiles = []float64{0, 90, 99, 99.9, 99.99, 99.999}

// samplesBeyond is how many samples must lie beyond the last percentile drawn: fewer are chance.
const samplesBeyond = 10

// fileName makes one of a benchmark's name.
var fileName = strings.NewReplacer(": ", "-", " ", "-")

// WritePlots writes the percentile plot as <dir>/<benchmark>.svg and .png and returns their paths; none when the benchmark
// has no latencies.
func (rep Report) WritePlots(dir, base, subject string) ([]string, error) {
	if len(rep.histograms) == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write plots: %w", err)
	}
	p, err := rep.plot(base, subject)
	if err != nil {
		return nil, fmt.Errorf("draw plot of %q: %w", rep.Benchmark, err)
	}
	var paths []string
	for _, ext := range []string{"svg", "png"} {
		path := filepath.Join(dir, fileName.Replace(rep.Benchmark)+"."+ext)
		if err := p.Save(22*vg.Centimeter, 13*vg.Centimeter, path); err != nil {
			return nil, fmt.Errorf("write plot %s: %w", path, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func (rep Report) plot(base, subject string) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s: latency from the intended time (%s, %d cores)", rep.Benchmark, rep.Machine.CPU, rep.Machine.Cores)
	p.X.Label.Text, p.Y.Label.Text = "percentile", "latency, µs"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = percentileTicks(), plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	if err := rep.addCurve(p, base, baseColour); err != nil {
		return nil, err
	}
	return p, rep.addCurve(p, subject, subjectColour)
}

func (rep Report) addCurve(p *plot.Plot, name string, c color.Color) error {
	h := rep.histograms[name]
	if h == nil {
		return nil
	}
	line, err := plotter.NewLine(curve(h))
	if err != nil {
		return fmt.Errorf("curve of %q: %w", name, err)
	}
	line.Color, line.Width = c, vg.Points(2)
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}

// curve samples a histogram at evenly spaced places of the percentile axis.
func curve(h *hdrhistogram.Histogram) plotter.XYs {
	last := math.Max(2, float64(h.TotalCount())/samplesBeyond) // 1/(1-q) of the last percentile
	const perDecade = 40
	var xys plotter.XYs
	for i := 0; ; i++ {
		x := math.Pow(10, float64(i)/perDecade)
		if x > last {
			return xys
		}
		ns := h.ValueAtPercentile(100 * (1 - 1/x))
		xys = append(xys, plotter.XY{X: x, Y: math.Max(float64(ns), 1) / 1e3})
	}
}

func percentileTicks() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, p := range percentiles {
		ticks = append(ticks, plot.Tick{Value: 1 / (1 - p/100), Label: fmt.Sprintf("%g%%", p)})
	}
	return ticks
}
