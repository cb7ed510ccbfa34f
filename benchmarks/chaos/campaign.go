package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// campaign is one job with its outputs, killed again and again.
type campaign struct {
	settings
	content
	in, out, prefix, table string
	client                 *kgo.Client
	database               *pgx.Conn
	random                 *rand.Rand
	generator              *generator
	follower               *follower

	runs     int
	lastKill time.Time // zero: what was recovered from is known, or was no kill
	found    findings
}

// findings are what the supervisor saw.
type findings struct {
	kills, early, zombies, refused int
	hit                            map[string]int
	missed                         []string
	recoveries                     []time.Duration // from a kill to the first output of the next run that has any
}

const (
	// outputWithin is how long a start may take to the first output; a zombie may hold the database's locks for some seconds.
	outputWithin = 60 * time.Second
	// pointWithin is how long a point may take to be met.
	pointWithin = 8 * time.Second
	// endWithin is how long a fenced or stopped job may take to end.
	endWithin = 60 * time.Second
)

func newCampaign(ctx context.Context, s settings) (*campaign, error) {
	name := fmt.Sprintf("chaos-%x", rand.Uint32())
	c := &campaign{
		settings: s, content: content{s.seed, s.keys}, in: name + "-in", out: name + "-out", prefix: name,
		table: strings.ReplaceAll(name, "-", "_"), random: rand.New(rand.NewPCG(s.seed, 1)),
	}
	c.found.hit = map[string]int{}
	err := os.MkdirAll(c.logs(), 0o755)
	if err != nil {
		return nil, err
	}
	if c.client, err = kgo.NewClient(kgo.SeedBrokers(s.brokers)); err != nil {
		return nil, err
	}
	if err := createTopics(ctx, c.client, c.in, c.out); err != nil {
		return nil, err
	}
	if c.database, err = pgx.Connect(ctx, s.database+"?sslmode=disable"); err != nil {
		return nil, fmt.Errorf("%w; is it up? make postgres", err)
	}
	_, err = c.database.Exec(ctx, "CREATE TABLE "+c.table+" (n bigserial, split int NOT NULL, seq bigint NOT NULL, key text NOT NULL, hash text NOT NULL, count bigint NOT NULL)")
	return c, err
}

// tidy removes what the campaign made.
func (c *campaign) tidy(ctx context.Context) error {
	defer c.client.Close()
	_, err := c.database.Exec(ctx, "DROP TABLE "+c.table)
	return errors.Join(err, c.database.Close(ctx), deleteTopics(ctx, c.client, c.in, c.out))
}

// run kills the job as planned, lets it go on to the end of the input, stops it and checks its outputs.
func (c *campaign) run(ctx context.Context) (r report, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun := time.Now()
	if c.follower, err = follow(ctx, c.brokers, c.out); err != nil {
		return r, err
	}
	if c.generator, err = generate(ctx, c.content, c.brokers, c.in, c.rate); err != nil {
		return r, err
	}
	events := plan(c.random, c.kills, c.repeat, c.points, c.checkpoint)
	for i := 0; i < len(events); i++ {
		fmt.Fprintf(os.Stderr, "%v %s\n", time.Since(begun).Round(time.Millisecond), c.describe(events[i]))
		again, err := c.perform(ctx, events[i])
		if err != nil {
			return r, fmt.Errorf("event %d of %d, %v: %w", i+1, len(events), events[i], err)
		}
		events = append(events, again...)
	}
	produced, err := c.generator.stop()
	if err != nil {
		return r, fmt.Errorf("produce: %w", err)
	}
	if err := c.last(ctx, produced); err != nil {
		return r, err
	}
	return c.check(ctx, produced, begun)
}

// describe says what the next run is for.
func (c *campaign) describe(e event) string {
	n, _ := c.follower.progress()
	return fmt.Sprintf("run %d, %d records seen, %d kills: %v", c.runs+1, n, c.found.kills, e)
}

func (c *campaign) args(run string) []string {
	return []string{
		"-brokers", c.brokers, "-in", c.in, "-out", c.out, "-prefix", c.prefix, "-files", c.files(), "-database", c.settings.database, "-table", c.table,
		"-state", filepath.Join(c.dir, "state"), "-checkpoint-every", c.checkpoint.String(), "-run", run,
	}
}

// logs is where each run has a file of what it said.
func (c *campaign) logs() string { return filepath.Join(c.dir, "logs") }

func (c *campaign) files() string { return filepath.Join(c.dir, "files") }

func (c *campaign) start(armed string) (*process, error) {
	c.runs++
	run := fmt.Sprint(c.runs)
	return start(c.job, run, armed, filepath.Join(c.logs(), run+".log"), c.args(run))
}

// perform carries out one event. What it gives is to be done again later: a point that was not met.
func (c *campaign) perform(ctx context.Context, e event) (again []event, err error) {
	switch e.kind {
	case early:
		return nil, c.early(ctx, e)
	case atPoint:
		return c.atPoint(ctx, e)
	case stopped:
		return nil, c.stopped(ctx, e)
	case zombie:
		return nil, c.zombie(ctx, e)
	}
	p, err := c.working(ctx)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, e.after); err != nil {
		return nil, err
	}
	return nil, c.kill(p)
}

// working starts a job and waits for its first output.
func (c *campaign) working(ctx context.Context) (*process, error) {
	p, err := c.start("")
	if err != nil {
		return nil, err
	}
	return p, c.awaitOutput(ctx, p)
}

// awaitOutput waits for the first output of a run. The time since the last kill is how long it took to recover.
func (c *campaign) awaitOutput(ctx context.Context, p *process) error {
	limit := time.NewTimer(outputWithin)
	defer limit.Stop()
	for {
		_, ok, news := c.follower.output(p.run)
		if ok {
			c.recovered(p)
			return nil
		}
		select {
		case <-news:
		case <-p.ended:
			return p.unexpected()
		case err := <-c.follower.ended:
			return errors.Join(err, p.kill())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.kill())
		case <-limit.C:
			return fmt.Errorf("run %s has no output %v after its start:\n%s", p.run, outputWithin, p.dump())
		}
	}
}

// recovered notes how long a run took to publish something of its own, if it has.
func (c *campaign) recovered(p *process) (has bool) {
	at, has, _ := c.follower.output(p.run)
	if has && !c.lastKill.IsZero() {
		c.found.recoveries = append(c.found.recoveries, at.Sub(c.lastKill))
		c.lastKill = time.Time{}
	}
	return has
}

// kill kills a process and counts it.
func (c *campaign) kill(p *process) error {
	if err := p.kill(); err != nil {
		return err
	}
	c.died(p)
	return nil
}

func (c *campaign) died(p *process) {
	c.found.kills++
	if !c.recovered(p) {
		c.found.early++
	}
	if c.lastKill.IsZero() { // else there was no output between the kills: recovery is from the first of them
		c.lastKill = time.Now()
	}
}

func (c *campaign) early(ctx context.Context, e event) error {
	p, err := c.start("")
	if err != nil {
		return err
	}
	if err := pause(ctx, e.after); err != nil {
		return errors.Join(err, p.kill())
	}
	return c.kill(p)
}

const triesMost = 3

func (c *campaign) atPoint(ctx context.Context, e event) (again []event, err error) {
	p, err := c.start(fmt.Sprintf("%s:%d", e.point, e.hit))
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(pointWithin)
	defer limit.Stop()
	select {
	case <-p.ended:
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), p.kill())
	case <-limit.C:
		if e.tried++; e.tried < triesMost {
			e.hit = 1
			again = append(again, e)
		} else {
			c.found.missed = append(c.found.missed, e.point)
		}
		return again, c.kill(p)
	}
	if err := p.killed(); err != nil {
		return nil, err
	}
	if name := p.point(); name != e.point {
		return nil, fmt.Errorf("run %s was killed at %q:\n%s", p.run, name, p.said.String())
	}
	c.found.hit[e.point]++
	c.died(p)
	return nil, nil
}

// stopped stops a job. Another one on the same state must be refused meanwhile, and it must go on as if nothing was.
func (c *campaign) stopped(ctx context.Context, e event) error {
	p, err := c.working(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(pause(ctx, e.after), p.cmd.Process.Signal(syscall.SIGSTOP)); err != nil {
		return errors.Join(err, p.kill())
	}
	second, err := c.start("")
	if err != nil {
		return errors.Join(err, p.kill())
	}
	if err := c.refused(ctx, second, lockedText); err != nil {
		return errors.Join(err, p.kill())
	}
	c.found.refused++
	before, _ := c.follower.progress()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		return errors.Join(err, p.kill())
	}
	for end := time.Now().Add(outputWithin); ; {
		if n, _ := c.follower.progress(); n > before+int64(c.rate) {
			return c.kill(p)
		}
		if time.Now().After(end) {
			return fmt.Errorf("run %s gives nothing behind a stop:\n%s", p.run, p.dump())
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return errors.Join(err, p.kill())
		}
	}
}

// What a job says that may not go on.
var (
	lockedText    = regexp.MustCompile("stop that run")
	overtakenText = regexp.MustCompile("by a newer run|another run")
)

// refused waits for a job that ends with an error that says why.
func (c *campaign) refused(ctx context.Context, p *process, why *regexp.Regexp) error {
	limit := time.NewTimer(endWithin)
	defer limit.Stop()
	select {
	case <-p.ended:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.kill())
	case <-limit.C:
		return fmt.Errorf("run %s was to end and does not:\n%s", p.run, p.dump())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 1 || !why.MatchString(p.said.String()) {
		return fmt.Errorf("run %s was to be refused and ended with exit code %d:\n%s", p.run, code, p.said.String())
	}
	return nil
}

// zombie stops a job and takes the lock from it, as a file system that several machines share may do. The next one goes on, and the first, when it
// is continued, has to end by itself without having written anything.
func (c *campaign) zombie(ctx context.Context, e event) error {
	p, err := c.working(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(pause(ctx, e.after), p.cmd.Process.Signal(syscall.SIGSTOP), os.Remove(filepath.Join(c.dir, "state", "checkpoints", "lock"))); err != nil {
		return errors.Join(err, p.kill())
	}
	second, err := c.working(ctx)
	if err != nil {
		return errors.Join(err, p.kill())
	}
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		return errors.Join(err, p.kill(), second.kill())
	}
	if err := c.refused(ctx, p, overtakenText); err != nil {
		return errors.Join(err, second.kill())
	}
	c.found.zombies++
	if err := pause(ctx, e.after); err != nil {
		return errors.Join(err, second.kill())
	}
	return c.kill(second)
}

// last goes on to the end of the input and stops the job in order.
func (c *campaign) last(ctx context.Context, produced []int64) error {
	want := int64(0)
	for _, n := range produced {
		want += n
	}
	p, err := c.start("")
	if err != nil {
		return err
	}
	started := time.Now()
	for {
		n, newest := c.follower.progress()
		if n >= want {
			break
		}
		if newest.Before(started) {
			newest = started
		}
		if time.Since(newest) > outputWithin {
			return fmt.Errorf("the last run stands still at %d of %d records:\n%s", n, want, p.dump())
		}
		select {
		case <-p.ended:
			return p.unexpected()
		default:
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return errors.Join(err, p.kill())
		}
	}
	c.recovered(p)
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return errors.Join(err, p.kill())
	}
	select {
	case <-p.ended:
	case <-time.After(endWithin):
		return fmt.Errorf("the last run does not stop:\n%s", p.dump())
	}
	if !p.cmd.ProcessState.Success() {
		return p.unexpected()
	}
	return nil
}
