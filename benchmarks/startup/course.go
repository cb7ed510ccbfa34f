package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

const (
	recordsPerSecond = "10000" // lines of eight words
	restoredKeys     = 1_000_000
)

// course is what a round goes through.
type course struct {
	program
	dir    string // for checkpoints
	window time.Duration
	keys   int64  // in the checkpoint
	filled string // its directory
}

// round is what one round found.
type round struct {
	bareNS     int64  // exec to first output of a process that does no job
	startNS    int64  // exec to first counts, no checkpoint
	restoredNS int64  // exec to first counts, keys in the checkpoint
	memory     memory // behind the window
}

func (c *course) measure(ctx context.Context, rounds int, progress io.Writer) (all []round, err error) {
	c.filled = filepath.Join(c.dir, "keys")
	if err := c.fill(ctx); err != nil {
		return nil, fmt.Errorf("a checkpoint of %d keys: %w", c.keys, err)
	}
	for i := range rounds {
		r, err := c.round(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("round %d of %d: %w", i+1, rounds, err)
		}
		all = append(all, r)
		fmt.Fprintf(progress, "round %d/%d  bare %s  start %s  restored %s  resident %s\n", i+1, rounds, ms(r.bareNS), ms(r.startNS), ms(r.restoredNS), mb(r.memory.resident))
	}
	return all, nil
}

func (c *course) round(ctx context.Context, i int) (r round, err error) {
	if r.bareNS, err = c.bare(ctx); err != nil {
		return r, fmt.Errorf("bare process: %w", err)
	}
	if r.startNS, r.memory, err = c.fresh(ctx, filepath.Join(c.dir, fmt.Sprint("fresh-", i))); err != nil {
		return r, fmt.Errorf("fresh start: %w", err)
	}
	if r.restoredNS, err = c.restored(ctx); err != nil {
		return r, fmt.Errorf("start from a checkpoint: %w", err)
	}
	return r, nil
}

// bare asks the program for its list of topologies.
func (c *course) bare(ctx context.Context) (int64, error) {
	p, err := c.start(ctx, "list")
	if err != nil {
		return 0, err
	}
	_, afterNS, err := p.line()
	return afterNS, p.end(err, p.wait)
}

// fresh starts wordcount as the issue has it, with all defaults but the pace, which is the default too, and lets it run.
func (c *course) fresh(ctx context.Context, stateDir string) (startNS int64, m memory, err error) {
	p, err := c.start(ctx, "run", "wordcount", "--rate", recordsPerSecond, "--state-dir", stateDir)
	if err != nil {
		return 0, m, err
	}
	_, startNS, err = p.status()
	if err == nil {
		p.drain()
		err = harness.Wait(ctx, c.window)
	}
	if err == nil {
		m, err = p.memory()
	}
	return startNS, m, p.end(err, p.interrupt)
}

// overKeys runs over all words of the checkpoint, each as often as any other.
func (c *course) overKeys(rate string) []string {
	return []string{
		"run", "wordcount", "--rate", rate, "--keys", fmt.Sprint(c.keys), "--words", "round-robin", "--state-dir", c.filled,
	}
}

// fill runs until each key was counted and stops after a last epoch.
func (c *course) fill(ctx context.Context) error {
	p, err := c.start(ctx, c.overKeys("0")...)
	if err != nil {
		return err
	}
	for s := (status{}); err == nil && s.entries < c.keys; {
		s, _, err = p.status()
	}
	if err == nil {
		p.drain()
	}
	return p.end(err, p.interrupt)
}

// restored goes on from that epoch and is killed as soon as it has shown counts, so that the next round finds the same.
func (c *course) restored(ctx context.Context) (int64, error) {
	p, err := c.start(ctx, c.overKeys(recordsPerSecond)...)
	if err != nil {
		return 0, err
	}
	s, afterNS, err := p.status()
	if err == nil && s.first < 2 {
		err = fmt.Errorf("the first output begins with a count of %d, want 2 or more: the checkpoint was not read", s.first)
	}
	return afterNS, p.end(err, p.kill)
}
