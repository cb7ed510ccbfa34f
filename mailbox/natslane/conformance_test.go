package natslane_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/natslane"
)

// transport makes n lanes to one consumer.
type transport func(t *testing.T, n, batchesMax, credits int) *links

// Both kinds of lane go through the same tests: to a task they are the same.
var transports = map[string]transport{
	"local": func(t *testing.T, n, batchesMax, _ int) *links {
		ls, bell := newLinks(t), mailbox.NewBell()
		for range n {
			ls.local(batchesMax, bell)
		}
		return ls
	},
	"nats": func(t *testing.T, n, batchesMax, credits int) *links {
		return overNATS(t, newBroker(t, 0), n, batchesMax, credits)
	},
	"nats in pieces": func(t *testing.T, n, batchesMax, credits int) *links {
		return overNATS(t, newBroker(t, 512), n, batchesMax, credits)
	},
}

func config(conn *nats.Conn, subject string, credits int) natslane.Config {
	return natslane.Config{Conn: conn, Subject: subject, Attempt: attempt, Credits: credits, ProbeEvery: 5 * time.Millisecond, AnswerWithin: patience}
}

func overNATS(t *testing.T, b *broker, n, batchesMax, credits int) *links {
	t.Helper()
	from, to := b.connect(t), b.connect(t)
	ls, bell := newLinks(t), mailbox.NewBell()
	ls.conns = []*nats.Conn{from, to}
	for i := range n {
		subject := fmt.Sprintf("millrace.job.%d.count.%d.0", attempt, i)
		ls.remote(t, config(from, subject, credits), config(to, subject, credits), batchesMax, bell)
	}
	return ls
}

// each runs a test over every transport.
func each(t *testing.T, f func(t *testing.T, open transport)) {
	t.Helper()
	for name, open := range transports {
		t.Run(name, func(t *testing.T) { f(t, open) })
	}
}

func TestWhatGoesInComesOut(t *testing.T) {
	each(t, func(t *testing.T, open transport) {
		for producers := 1; producers <= 4; producers++ {
			for seed := range uint64(5) {
				rng := rand.New(rand.NewPCG(seed, uint64(producers)))
				ls := open(t, producers, 1+rng.IntN(4), 1+rng.IntN(8))
				var want [][]string
				for i, l := range ls.all {
					tr := randomTraffic(rng, fmt.Sprint("p", i, "-"), 400, 3000)
					want = append(want, tr.batches())
					ls.produce(l, tr)
				}
				got, err := ls.consume(func() {})
				if err != nil {
					t.Fatalf("seed %d, %d producers: %v", seed, producers, err)
				}
				for i := range want {
					if !slices.Equal(got[i], want[i]) {
						t.Fatalf("seed %d, %d producers: lane %d differs: %s", seed, producers, i, difference(got[i], want[i]))
					}
				}
				ls.stop()
			}
		}
	})
}

func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("batch %d is\n%.300s\nwant\n%.300s", i+1, got[i], want[i])
		}
	}
	return fmt.Sprintf("%d batches, want %d", len(got), len(want))
}

func TestBigBatchesArePassedWhole(t *testing.T) {
	each(t, func(t *testing.T, open transport) {
		ls := open(t, 1, 2, 4)
		tr := randomTraffic(rand.New(rand.NewPCG(1, 9)), "big", 100, 300_000)
		ls.produce(ls.all[0], tr)
		got, err := ls.consume(func() {})
		if err != nil {
			t.Fatal(err)
		}
		if want := tr.batches(); !slices.Equal(got[0], want) {
			t.Fatal(difference(got[0], want))
		}
	})
}

// A consumer that stands still stops its producer; when it goes on nothing is missing.
func TestBackPressureBoundsWhatIsUnderWay(t *testing.T) {
	const lane, credits, batches = 2, 3, 200
	each(t, func(t *testing.T, open transport) {
		ls := open(t, 1, lane, credits)
		l := ls.all[0]
		var tr traffic
		for i := range batches * recordsMax {
			tr = append(tr, func(o *mailbox.Out[string]) { o.Add(0, fmt.Sprint(i), 0, 0) })
		}
		tr = append(tr, func(o *mailbox.Out[string]) { o.End() })
		ls.produce(l, tr)
		if l.sender != nil {
			sent, answers := &l.sender.Stats().Batches, &l.receiver.Stats().Probes
			await(t, "the credit is used", func() bool { return sent.Load() == lane+credits && l.in.Len() == lane })
			soon := answers.Load() + 3 // long enough for more to go out, if it could
			await(t, "probes are answered", func() bool { return answers.Load() >= soon })
			if n := sent.Load(); n != lane+credits {
				t.Errorf("%d batches were sent to a consumer that stands still, want %d", n, lane+credits)
			}
		}
		got, err := ls.consume(func() {})
		if err != nil {
			t.Fatal(err)
		}
		if want := tr.batches(); !slices.Equal(got[0], want) {
			t.Fatal(difference(got[0], want))
		}
	})
}

// Few large batches are as much as many small ones.
func TestBackPressureBoundsTheBytesUnderWay(t *testing.T) {
	const lane, batchBytes, batches = 2, 5000, 40
	b := newBroker(t, 0)
	from, to := config(b.connect(t), "bytes", 0), config(b.connect(t), "bytes", 0)
	from.CreditBytes, to.CreditBytes = 3*batchBytes-1, 3*batchBytes-1
	ls := newLinks(t)
	l := ls.remote(t, from, to, lane, mailbox.NewBell())
	var tr traffic
	for range batches {
		tr = append(tr, func(o *mailbox.Out[string]) {
			o.Add(0, strings.Repeat("x", batchBytes), 0, 0)
			o.Flush()
		})
	}
	tr = append(tr, func(o *mailbox.Out[string]) { o.End() })
	ls.produce(l, tr)
	sent, answers := &l.sender.Stats().Batches, &l.receiver.Stats().Probes
	await(t, "the credit is used", func() bool { return sent.Load() == lane+3 && l.in.Len() == lane })
	soon := answers.Load() + 3
	await(t, "probes are answered", func() bool { return answers.Load() >= soon })
	if n := sent.Load(); n != lane+3 {
		t.Errorf("%d batches were sent to a consumer that stands still, want %d", n, lane+3)
	}
	got, err := ls.consume(func() {})
	if err != nil {
		t.Fatal(err)
	}
	if want := tr.batches(); !slices.Equal(got[0], want) {
		t.Fatal(difference(got[0], want))
	}
}

// await waits for what another goroutine brings about.
func await(t *testing.T, what string, reached func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !reached(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not reached after %v: %s", patience, what)
		}
	}
}

// A lane may be given up at any time: goleak in TestMain looks for what is left.
func TestALaneIsGivenUpInTheMiddle(t *testing.T) {
	each(t, func(t *testing.T, open transport) {
		for seed := range uint64(8) {
			rng := rand.New(rand.NewPCG(seed, 4))
			ls := open(t, 2, 2, 3)
			for i, l := range ls.all {
				ls.produce(l, randomTraffic(rng, fmt.Sprint(i), 2000, 0))
			}
			left := rng.IntN(100)
			_, err := ls.consume(func() {
				if left--; left == 0 {
					ls.cancel()
				}
			})
			if left <= 0 && !errors.Is(err, context.Canceled) {
				t.Fatalf("seed %d: ended with %v", seed, err)
			}
			ls.stop()
			select {
			case err := <-ls.broken:
				t.Fatalf("seed %d: %v", seed, err)
			default:
			}
			for _, conn := range ls.conns {
				if n := conn.NumSubscriptions(); n > 0 {
					t.Errorf("seed %d: %d subscriptions are left", seed, n)
				}
			}
		}
	})
}

func TestASlowConsumerDoesNotStopAnotherLane(t *testing.T) {
	b := newBroker(t, 0)
	from, to := b.connect(t), b.connect(t)
	slow, quick := newLinks(t), newLinks(t)
	stuck := slow.remote(t, config(from, "slow", 4), config(to, "slow", 4), 2, mailbox.NewBell())
	slow.produce(stuck, randomTraffic(rand.New(rand.NewPCG(1, 5)), "slow", 5000, 0))
	await(t, "the slow lane is full", func() bool { return stuck.sender.Stats().Batches.Load() == 6 && stuck.in.Len() == 2 })

	l := quick.remote(t, config(from, "quick", 4), config(to, "quick", 4), 2, mailbox.NewBell())
	tr := randomTraffic(rand.New(rand.NewPCG(1, 6)), "quick", 20000, 0)
	quick.produce(l, tr)
	got, err := quick.consume(func() {})
	if err != nil {
		t.Fatal(err)
	}
	if want := tr.batches(); !slices.Equal(got[0], want) {
		t.Fatal(difference(got[0], want))
	}
	if n := stuck.sender.Stats().Batches.Load(); n != 6 {
		t.Errorf("the slow lane sent %d batches, want 6 still", n)
	}
	select {
	case err := <-slow.broken:
		t.Errorf("the slow lane broke: %v", err)
	default:
	}
}
