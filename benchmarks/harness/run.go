package harness

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/pprof"
)

// Round is one round: a throughput and a latency window of each contestant, close together in time, so that what the
// machine did meanwhile is in both.
type Round struct {
	Throughput map[string]Sample
	Latency    map[string]Sample
}

// Run measures all rounds and condenses them. It writes a line per round to progress.
func (b Benchmark) Run(ctx context.Context, o Options, progress io.Writer) (Report, error) {
	if err := o.validate(); err != nil {
		return Report{}, fmt.Errorf("benchmark %q: %w", b.Name, err)
	}
	var rounds []Round
	for i := range o.Rounds {
		r, err := b.round(ctx, i)
		if err != nil {
			return Report{}, fmt.Errorf("benchmark %q, round %d of %d: %w", b.Name, i+1, o.Rounds, err)
		}
		rounds = append(rounds, r)
		fmt.Fprintf(progress, "round %d/%d%s\n", i+1, o.Rounds, b.describe(r))
	}
	return b.condense(o, rounds), nil
}

func (b Benchmark) round(ctx context.Context, i int) (Round, error) {
	r := Round{map[string]Sample{}, map[string]Sample{}}
	hashes := map[string]uint64{}
	for _, c := range b.contestants(i) {
		if err := c.measure(ctx, r, hashes); err != nil {
			return r, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	base, subject := b.Base.Name, b.Subject.Name
	if len(hashes) == 2 && hashes[base] != hashes[subject] {
		return r, fmt.Errorf("outputs differ: %s has hash %016x, %s has %016x; one of them is wrong, so no figure counts",
			base, hashes[base], subject, hashes[subject])
	}
	return r, nil
}

// measure runs all parts of one contestant. Garbage of the one before is collected first.
func (c Contestant) measure(ctx context.Context, r Round, hashes map[string]uint64) (err error) {
	c.part(ctx, "throughput", func(ctx context.Context) { r.Throughput[c.Name], err = c.Throughput(ctx) })
	if err != nil {
		return fmt.Errorf("throughput: %w", err)
	}
	if c.Output != nil {
		c.part(ctx, "output", func(ctx context.Context) { hashes[c.Name], err = c.Output(ctx) })
		if err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	if c.Latency == nil {
		return nil
	}
	c.part(ctx, "latency", func(ctx context.Context) { r.Latency[c.Name], err = c.Latency(ctx) })
	if err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	return nil
}

// part runs one part under labels that all goroutines started by it inherit, so that a profile of the whole run can be
// read by contestant and part.
func (c Contestant) part(ctx context.Context, name string, run func(context.Context)) {
	runtime.GC()
	pprof.Do(ctx, pprof.Labels("contestant", c.Name, "part", name), run)
}

// describe is the line of a finished round.
func (b Benchmark) describe(r Round) (line string) {
	for _, c := range b.contestants(0) {
		t := r.Throughput[c.Name]
		line += fmt.Sprintf("  %s %s/s %s/core", c.Name, count(t.PerSecond()), count(t.PerCoreSecond()))
		if l, ok := r.Latency[c.Name]; ok {
			line += fmt.Sprintf(" p50 %s p99 %s", duration(quantileNS(l.Latency, 0.5)), duration(quantileNS(l.Latency, 0.99)))
			if !l.Sustained() {
				line += fmt.Sprintf(" NOT SUSTAINED: %.1f %% of %s/s", 100*l.PerSecond()/l.RatePerSecond, count(l.RatePerSecond))
			}
		}
	}
	return line
}
