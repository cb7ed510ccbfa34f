//go:build integration

package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	crashRecords    = 1_000_000
	crashKills      = 30
	crashKeys       = 4000
	crashPartitions = 4
	crashTasks      = 2

	// soon is how long after a start a kill hits a job that is still coming up; later is the longest one waits for another.
	soon, later = 300 * time.Millisecond, 2500 * time.Millisecond
	// catchUp is how long the last run may take for what the others left.
	catchUp = 3 * time.Minute
)

// The runner counts records by key from Kafka to Kafka and is killed with -9 again and again while they are produced. By default
// readers of committed records get each count once: 1, 2, 3, … up to the input's.
func TestCrashExactlyOnce(t *testing.T) {
	c := newCrash(t, "exactly-once", "exactly-once")
	h, want := c.survive(t, exactly)
	if wrong := differences(h.counts(), want, exactly); len(wrong) > 0 || h.records != c.load.records {
		t.Fatalf("%d records of output for %d; counts that differ from the input's:\n%s", h.records, c.load.records, text(wrong))
	}
	c.final(t, h)
}

// Exactly-once state with at-least-once output: what was written behind the last epoch comes again, and the counts are those of the input.
func TestCrashStateExactlyOnce(t *testing.T) {
	c := newCrash(t, "exactly-once", "at-least-once")
	h, want := c.survive(t, exactly)
	if wrong := differences(h.counts(), want, exactly); len(wrong) > 0 {
		t.Fatalf("counts differ from the input's:\n%s", text(wrong))
	}
	c.final(t, h)
}

// With at-least-once state a record may count twice, but none is lost, and a key's output still has no gap.
func TestCrashAtLeastOnce(t *testing.T) {
	c := newCrash(t, "at-least-once", "at-least-once")
	h, want := c.survive(t, atLeast)
	if wrong := differences(h.counts(), want, atLeast); len(wrong) > 0 {
		t.Fatalf("records were lost:\n%s", text(wrong))
	}
	twice := int64(0)
	for key, n := range h.counts() {
		twice += n - want[key]
	}
	t.Logf("%d records were counted twice", twice)
}

// crash is a job that crashes.
type crash struct {
	client    *kgo.Client
	load      load
	out       string // topic
	guarantee string // of the state
	delivery  string // guarantee of the output
	stateDir  string
	gaps      []time.Duration // from each start to its kill
}

func newCrash(t *testing.T, guarantee, delivery string) *crash {
	t.Helper()
	s := seed(t)
	runnerPath(t) // built before the clock runs
	c := connect(t, kgo.ProducerLinger(paceEvery), kgo.MaxBufferedRecords(100_000))
	return &crash{
		client: c, guarantee: guarantee, delivery: delivery, stateDir: filepath.Join(t.TempDir(), "state"),
		load: load{createTopic(t, c, "in", crashPartitions), s, setting(t, "MILLRACE_CRASH_RECORDS", crashRecords), crashKeys},
		out:  createTopic(t, c, "out", crashPartitions),
		gaps: gaps(rand.New(rand.NewPCG(s, 2)), int(setting(t, "MILLRACE_KILLS", crashKills))),
	}
}

// gaps are random times from a start to its kill, every other one short, in random order.
func gaps(random *rand.Rand, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		if i%2 == 0 {
			all[i] = time.Duration(random.Int64N(int64(soon)))
		} else {
			all[i] = soon + time.Duration(random.Int64N(int64(later-soon)))
		}
	}
	random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (c *crash) start(t *testing.T) *process {
	return start(t, nil, nil, append([]string{
		"run", "keyed-count", "--quiet", "--guarantee", c.guarantee, "--delivery-guarantee", c.delivery, "--parallelism", fmt.Sprint(crashTasks),
		"--checkpoint-interval", "100ms", "--state-dir", c.stateDir,
	}, kafkaFlags(broker(), c.load.topic, c.out)...)...)
}

// survive produces, kills and starts again, until the last run's output has the counts of the whole input. It returns that
// output, checked but for the counts, and the input's counts.
func (c *crash) survive(t *testing.T, right func(got, want int64) bool) (*history, map[string]int64) {
	t.Helper()
	total := time.Duration(0)
	for _, gap := range c.gaps {
		total += gap
	}
	begun := time.Now()
	produced, killed := make(chan error, 1), make(chan struct{})
	go func() { produced <- c.load.produce(t.Context(), c.client, total+total/5, killed) }()
	for _, gap := range c.gaps {
		c.run(t, gap, produced)
	}
	close(killed)
	t.Logf("%d kills in %v, %d of them within %v of a start", len(c.gaps), time.Since(begun).Round(time.Millisecond), c.soon(), soon)
	last := c.start(t)
	if err := <-produced; err != nil {
		t.Fatalf("produce: %v", err)
	}
	done := time.Now()
	want := c.load.input(t)
	c.follow(t, last, want, right)
	t.Logf("%d records produced in %v; their counts were there %v later", c.load.records, done.Sub(begun).Round(time.Millisecond), time.Since(done).Round(time.Millisecond))
	last.interrupt(t)
	return c.output(t), want
}

// run starts the job and kills it after a time.
func (c *crash) run(t *testing.T, gap time.Duration, produced <-chan error) {
	t.Helper()
	p := c.start(t)
	expire := time.NewTimer(gap)
	defer expire.Stop()
	select {
	case <-expire.C:
	case <-p.ended: // kill says what is wrong
	case err := <-produced:
		t.Fatalf("producing ended before the last kill: %v", err)
	}
	p.kill(t)
}

func (c *crash) soon() (n int) {
	for _, gap := range c.gaps {
		if gap < soon {
			n++
		}
	}
	return n
}

// follow reads the output until each key has its count, while the job runs.
func (c *crash) follow(t *testing.T, job *process, want map[string]int64, right func(got, want int64) bool) *history {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), catchUp)
	defer cancel()
	go func() { // a job that has failed writes no more
		select {
		case <-job.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	h, reached := c.history(), map[string]bool{}
	err := consume(ctx, c.out, func(r *kgo.Record) bool {
		h.take(r)
		if key := string(r.Key); right(h.keys[key].last, want[key]) {
			reached[key] = true
		} else {
			delete(reached, key)
		}
		return len(reached) < len(want)
	})
	if err != nil {
		job.kill(t)
		t.Fatalf("%v; %d of %d keys have their counts behind %d records:\n%s\n%s\n%s", err, len(reached), len(want), h.records,
			text(differences(h.counts(), want, right)), text(h.wrong), &job.stderr)
	}
	return h
}

func (c *crash) history() *history {
	h := newHistory()
	h.once = c.delivery == "exactly-once"
	return h
}

// output reads the whole output once more, to its end, and checks all but the counts.
func (c *crash) output(t *testing.T) *history {
	t.Helper()
	h := c.history()
	consumeAll(t, c.client, c.out, crashPartitions, h.take)
	if len(h.wrong) > 0 {
		t.Fatalf("%d records of the output are wrong:\n%s", len(h.wrong), text(h.wrong))
	}
	if most := (len(c.gaps) + 1) * crashTasks; !h.once && len(h.producers) > most {
		t.Errorf("%d producers wrote, want at most %d for each of the %d runs: tasks were started again inside a run", len(h.producers), crashTasks, len(c.gaps)+1)
	}
	t.Logf("%d records of output by %d producers: %d more than of input, %d steps back", h.records, len(h.producers), h.records-c.load.records, h.back())
	return h
}

// final asks the state itself: after a clean stop nothing is repeated, and one more record of each key counts one more.
func (c *crash) final(t *testing.T, before *history) {
	t.Helper()
	var more []*kgo.Record
	want := before.counts()
	for key := range want {
		want[key]++
		more = append(more, &kgo.Record{Topic: c.load.topic, Key: []byte(key), Value: []byte("one more")})
	}
	if err := c.client.ProduceSync(t.Context(), more...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	p := c.start(t)
	h := c.follow(t, p, want, exactly)
	p.interrupt(t)
	if len(h.wrong) > 0 || h.back() != before.back() {
		t.Fatalf("the state that was stopped differs from the output: %d steps back, %d before\n%s", h.back(), before.back(), text(h.wrong))
	}
}
