package runner

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/millrace-io/millrace"
)

// gauge turns the counters of a query into what happened since the last reading.
type gauge struct {
	query   *millrace.Query
	options *Options
	begun   time.Time
	latency *hdrhistogram.Histogram

	last    time.Time
	records int64 // of the sources, in the attempt that ran at the last reading
	state   millrace.OperatorProgress
}

func newGauge(q *millrace.Query, o *Options) *gauge {
	now := time.Now()
	return &gauge{query: q, options: o, begun: now, last: now, latency: newHistogram()}
}

// reading is one look at a job.
type reading struct {
	name        string
	running     time.Duration
	progress    millrace.Progress
	perSecond   int64 // input records since the last reading; -1 when it is not known yet, or no more
	p50, p99    time.Duration
	measured    bool // there were latencies to take p50 and p99 of
	entries     int64
	stateBytes  int64
	deadLetters int64
	views       []view
}

// read looks at the job. Between two attempts there are no tasks: then the size of the state stays what it was.
func (g *gauge) read() reading {
	p := g.query.Progress()
	r := reading{name: g.options.name, running: p.At.Sub(g.begun), progress: p, views: g.options.views, perSecond: -1}
	if len(p.Operators) > 0 {
		r.perSecond = g.count(p)
	}
	r.entries, r.stateBytes, r.deadLetters = g.state.StateEntries, g.state.StateBytes, g.state.DeadLetters
	g.latency.Reset()
	for _, v := range g.options.views {
		v.latencies(g.latency)
	}
	if r.measured = g.latency.TotalCount() > 0; r.measured {
		r.p50 = time.Duration(g.latency.ValueAtQuantile(50)) * time.Microsecond
		r.p99 = time.Duration(g.latency.ValueAtQuantile(99)) * time.Microsecond
	}
	return r
}

// shortestInterval is the shortest interval that a rate is taken of.
const shortestInterval = 100 * time.Millisecond

// count adds up what the operators did and returns the rate of input records since the last reading.
func (g *gauge) count(p millrace.Progress) (perSecond int64) {
	records := int64(0)
	g.state = millrace.OperatorProgress{}
	for _, o := range p.Operators {
		if g.options.sources[o.ID] {
			records += o.RecordsIn
		}
		g.state.StateEntries += o.StateEntries
		g.state.StateBytes += o.StateBytes
		g.state.DeadLetters += o.DeadLetters
	}
	elapsed := p.At.Sub(g.last)
	if elapsed < shortestInterval {
		return -1
	}
	since := records - g.records
	if since < 0 { // another attempt, which counts from 0
		since = records
	}
	g.records, g.last = records, p.At
	return int64(float64(since) / elapsed.Seconds())
}

// status is the reading on one line.
func (r reading) status() string {
	s := fmt.Sprintf("%s %s %s: ", r.name, clock(r.running), r.progress.Status)
	if r.perSecond >= 0 {
		s += number(r.perSecond) + " records/s, "
	}
	if r.measured {
		s += fmt.Sprintf("p50 %s, p99 %s, ", latencyText(r.p50), latencyText(r.p99))
	}
	s += fmt.Sprintf("epoch %d, restarts %d, state %s entries %s", r.progress.Epoch, r.progress.Restarts, number(r.entries), bytesText(r.stateBytes))
	if r.deadLetters > 0 {
		s += fmt.Sprintf(", dead letters %s", number(r.deadLetters))
	}
	return s
}

// clock is a duration as minutes and seconds, with hours when there are any.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

func latencyText(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
