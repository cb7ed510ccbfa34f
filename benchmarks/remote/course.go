package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

const (
	keys        = 100_000
	workers     = 2
	shownSuffix = "00" // in a closed loop a hundredth of the rows goes home, which is enough to count them by
	pollEvery   = 5 * time.Millisecond
	firstWithin = 30 * time.Second
)

// course is where the contestants meet: the NATS server.
type course struct {
	rate     int64
	window   time.Duration
	warmUp   time.Duration
	profile  string // file; none when empty
	profiled string // kind of the child that writes it

	server *process
}

// sample is what a contestant did in one window.
type sample struct {
	records      int64
	elapsedNS    int64
	cpuNS        int64 // of the processes that do the work: both workers; the one process; publisher and counter
	homeNS       int64 // of the process that started the job, where that is another
	serverNS     int64 // of the NATS server
	foreignCores float64

	rate                 int64 // of an open loop
	p50NS, p99NS, p999NS int64
}

// round is one round: a closed loop of each contestant and an open loop of both jobs, close together in time.
type round struct {
	one, spread, messages  sample
	oneLatency, spreadLate sample
}

func (c *course) prepare(ctx context.Context) (err error) {
	c.server, err = start(ctx, role{Kind: kindServer})
	return err
}

func (c *course) close() error { return c.server.close() }

// measure measures all rounds and writes a line for each.
func (c *course) measure(ctx context.Context, rounds int, progress io.Writer) ([]round, error) {
	all := make([]round, rounds)
	for i := range all {
		if err := c.round(ctx, i, &all[i]); err != nil {
			return nil, fmt.Errorf("round %d of %d: %w", i+1, rounds, err)
		}
		fmt.Fprintf(progress, "round %d/%d%s\n", i+1, rounds, all[i])
	}
	return all, nil
}

// round measures all contestants, every other time in the opposite order.
func (c *course) round(ctx context.Context, i int, r *round) error {
	closed, open := load{Keys: keys, Suffix: shownSuffix}, load{Keys: keys, Rate: c.rate}
	order := []struct {
		name  string
		to    *sample
		roles []role
	}{
		{"a message a record", &r.messages, []role{{Kind: kindCounter, Load: closed}, {Kind: kindPublisher, Load: closed}}},
		{"one process", &r.one, []role{{Kind: kindJob, Load: closed}}},
		{"two workers", &r.spread, onWorkers(closed)},
		{"one process, latency", &r.oneLatency, []role{{Kind: kindJob, Load: open}}},
		{"two workers, latency", &r.spreadLate, onWorkers(open)},
	}
	for n := range order {
		x := order[n]
		if i%2 == 1 {
			x = order[len(order)-1-n]
		}
		var err error
		if *x.to, err = c.run(ctx, x.roles); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return nil
}

// onWorkers are the processes of a job on workers; the last is the end of the records.
func onWorkers(l load) []role {
	return []role{{Kind: kindWorker, Load: l}, {Kind: kindWorker, Load: l}, {Kind: kindHome, Load: l}}
}

// run starts a contestant's processes, measures a window, and ends them, the last one first.
func (c *course) run(ctx context.Context, roles []role) (s sample, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // kills what is left
	var all []*process
	defer func() {
		for i := range all {
			err = errors.Join(err, all[len(all)-1-i].close())
		}
	}()
	profile := c.profile
	for _, r := range roles {
		if r.URL = c.server.url; r.Kind == c.profiled && r.Load.Rate == 0 {
			r.Profile, profile = profile, ""
		}
		p, err := start(ctx, r)
		if err != nil {
			return s, err
		}
		all = append(all, p)
	}
	end := endOf(all)
	if err := c.filled(ctx, end); err != nil {
		return s, err
	}
	return c.watch(ctx, all, end)
}

// endOf is the process that records reach in the end.
func endOf(all []*process) *process {
	for _, p := range all {
		switch p.role.Kind {
		case kindJob, kindHome, kindCounter:
			return p
		}
	}
	return nil
}

// filled waits until the first rows have come, and for the warm-up.
func (c *course) filled(ctx context.Context, end *process) error {
	ctx, cancel := context.WithTimeout(ctx, firstWithin)
	defer cancel()
	for {
		r, err := end.ask(askRead)
		if err != nil {
			return err
		}
		if r.Rows > 0 {
			return harness.Wait(ctx, c.warmUp)
		}
		if err := harness.Wait(ctx, pollEvery); err != nil {
			return fmt.Errorf("no record within %v: %w", firstWithin, err)
		}
	}
}

// watch measures a window.
func (c *course) watch(ctx context.Context, all []*process, end *process) (s sample, err error) {
	all = append(all[:len(all):len(all)], c.server)
	machine := harness.StartUsage()
	before, err := ask(all, askBegin)
	if err != nil {
		return s, err
	}
	if err := harness.Wait(ctx, c.window); err != nil {
		return s, err
	}
	after, err := ask(all, askRead)
	if err != nil {
		return s, err
	}
	whole := machine.Until(0)
	var usedNS int64
	for i, p := range all {
		ns := after[i].CPUNS - before[i].CPUNS
		usedNS += ns
		switch {
		case p == c.server:
			s.serverNS += ns
		case p.role.Kind == kindHome:
			s.homeNS += ns
		default:
			s.cpuNS += ns
		}
		if p != end {
			continue
		}
		s.elapsedNS = after[i].TimeNS - before[i].TimeNS
		s.records, s.rate = after[i].Rows-before[i].Rows, p.role.Load.Rate
		if p.role.Kind != kindCounter {
			s.records *= p.role.Load.rowsOf()
		}
		s.p50NS, s.p99NS, s.p999NS = after[i].P50NS, after[i].P99NS, after[i].P999NS
	}
	s.foreignCores = max(0, whole.ForeignCores-float64(usedNS)/float64(whole.ElapsedNS))
	return s, nil
}

// ask asks all processes the same.
func ask(all []*process, question string) ([]reading, error) {
	var answers []reading
	for _, p := range all {
		r, err := p.ask(question)
		if err != nil {
			return nil, err
		}
		answers = append(answers, r)
	}
	return answers, nil
}
