package natslane_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/natslane"
	"github.com/millrace-io/millrace/mailbox/wire"
)

// The server goes away in the middle of the traffic: what was on its way through it is gone, and the lane says so, or nothing was.
func TestAServerThatRestartsLosesNothingInSilence(t *testing.T) {
	for seed := range uint64(12) {
		b := newBroker(t, 0)
		ls := overNATS(t, b, 1, 2, 4)
		tr := randomTraffic(rand.New(rand.NewPCG(seed, 11)), "t", 3000, 0)
		want := tr.batches()
		ls.produce(ls.all[0], tr)
		at := int(seed+1) * len(want) / 13
		got, err := ls.consume(func() {
			if at--; at == 0 {
				b.Stop()
				b.Again(t)
			}
		})
		if wrong := judge(got[0], want, err); wrong != "" {
			t.Fatalf("seed %d: %s", seed, wrong)
		}
		ls.stop()
	}
}

// A connection breaks behind any byte, of either end and in either direction, and is made again.
func TestACutConnectionLosesNothingInSilence(t *testing.T) {
	b := newBroker(t, 0)
	exact, broken := 0, 0
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 14))
		direct, cut := b.connect(t), connectTo(t, newCutter(t, b.URL, rng.IntN(2) == 0, 400+rng.IntN(40_000)))
		from, to := direct, cut
		if rng.IntN(2) == 0 {
			from, to = to, from
		}
		ls := newLinks(t)
		l := ls.remote(t, config(from, fmt.Sprint("cut", seed), 4), config(to, fmt.Sprint("cut", seed), 4), 2, mailbox.NewBell())
		tr := randomTraffic(rng, "t", 3000, 0)
		ls.produce(l, tr)
		got, err := ls.consume(func() {})
		if wrong := judge(got[0], tr.batches(), err); wrong != "" {
			t.Fatalf("seed %d: %s", seed, wrong)
		}
		if err == nil {
			exact++
		} else {
			broken++
		}
		ls.stop()
	}
	if exact == 0 || broken == 0 {
		t.Errorf("%d lanes exact, %d broken: one of them is not tested", exact, broken)
	}
}

// A lane with nothing under way goes on behind a reconnect.
func TestALaneAtRestOutlivesTheServer(t *testing.T) {
	b := newBroker(t, 0)
	from, to := b.connect(t), b.connect(t)
	ls := newLinks(t)
	l := ls.remote(t, config(from, "rest", 4), config(to, "rest", 4), 2, mailbox.NewBell())
	first, again := randomTraffic(rand.New(rand.NewPCG(1, 12)), "t", 100, 0), make(chan struct{})
	first[len(first)-1] = func(o *mailbox.Out[string]) { o.Flush() } // instead of the end
	second := randomTraffic(rand.New(rand.NewPCG(1, 13)), "u", 100, 0)
	want := append(append(traffic{}, first...), second...).batches()
	ls.produce(l, append(append(first, func(*mailbox.Out[string]) { <-again }), second...))
	left := len(first.batches())
	got, err := ls.consume(func() {
		if left--; left != 0 {
			return
		}
		b.Stop()
		b.Again(t)
		await(t, "both have reconnected", func() bool { return from.Stats().Reconnects > 0 && to.Stats().Reconnects > 0 })
		if err := errors.Join(to.Flush(), from.Flush()); err != nil {
			t.Error(err)
		}
		close(again)
	})
	if wrong := judge(got[0], want, err); wrong != "" || err != nil {
		t.Fatal(wrong, err)
	}
}

// An end that was left over from an older attempt is dropped by the other, and told that it is over.
func TestAZombieIsDroppedAndEnds(t *testing.T) {
	conn := newBroker(t, 0).connect(t) // one connection: the probe comes behind the subscription
	old := config(conn, "zombie", 4)
	old.Attempt--
	ls := newLinks(t)
	l := ls.remote(t, old, config(conn, "zombie", 4), 2, mailbox.NewBell())
	select {
	case err := <-ls.broken:
		if !errors.Is(err, wire.ErrAttempt) || !strings.Contains(err.Error(), "zombie") {
			t.Errorf("the zombie ended with %v", err)
		}
	case <-ls.ctx.Done():
		t.Fatal("the zombie goes on")
	}
	await(t, "its probe is counted", func() bool { return l.receiver.Stats().Stale.Load() > 0 })
}

func TestAClosedConnectionEndsBothEnds(t *testing.T) {
	for _, sender := range []bool{true, false} {
		b := newBroker(t, 0)
		from, to := b.connect(t), b.connect(t)
		ls := newLinks(t)
		ls.remote(t, config(from, "closed", 4), config(to, "closed", 4), 2, mailbox.NewBell())
		if sender {
			from.Close()
		} else {
			to.Close()
		}
		select {
		case err := <-ls.broken:
			if !errors.Is(err, nats.ErrConnectionClosed) {
				t.Errorf("ended with %v", err)
			}
		case <-ls.ctx.Done():
			t.Error("the end of a closed connection goes on")
		}
		ls.stop()
	}
}

func TestAReceiverThatIsNotThereIsNoticed(t *testing.T) {
	b := newBroker(t, 0)
	c := config(b.connect(t), "nobody", 4)
	c.AnswerWithin = 10 * c.ProbeEvery
	ls := newLinks(t)
	s, err := natslane.NewSender(c, mailbox.NewLane(1, mailbox.NewPool[string](recordsMax), nil, nil), texts{})
	if err != nil {
		t.Fatal(err)
	}
	ls.run(s.Run)
	select {
	case err := <-ls.broken:
		if !errors.Is(err, wire.ErrSilent) || !strings.Contains(err.Error(), "10 probes") {
			t.Errorf("ended with %v", err)
		}
	case <-ls.ctx.Done():
		t.Fatal("the sender waits for ever")
	}
}

// A job whose subjects are its own: an end with the credentials of another job sends nothing and hears nothing, and the lane says so.
func TestTheLaneOfAnotherJobIsRefused(t *testing.T) {
	server := natstest.Start(t, func(o *natstest.Options) {
		o.JetStream = false
		o.AllowSubjects("a", "secret", "millrace.a.>")
		o.AllowSubjects("b", "secret", "millrace.b.>")
	})
	for _, c := range []struct{ sender, receiver, says string }{
		{"a", "b", ""},
		{"b", "a", `permissions violation for publish to "millrace.a.1.batches"`},
	} {
		from, to := connectTo(t, server.URL, nats.UserInfo(c.sender, "secret")), connectTo(t, server.URL, nats.UserInfo(c.receiver, "secret"))
		sending, receiving := config(from, "millrace.a.1", 4), config(to, "millrace.a.1", 4)
		sending.AnswerWithin = 20 * sending.ProbeEvery
		ls := newLinks(t)
		l := ls.remote(t, sending, receiving, 2, mailbox.NewBell())
		ls.produce(l, randomTraffic(rand.New(rand.NewPCG(1, 15)), "t", 100, 0))
		got, err := ls.consume(func() {})
		if !errors.Is(err, wire.ErrSilent) || !strings.Contains(strings.ToLower(err.Error()), c.says) {
			t.Errorf("%s sends to %s: ended with %v", c.sender, c.receiver, err)
		}
		if len(got[0]) > 0 || l.sender.Stats().Batches.Load() > 0 {
			t.Errorf("%s sends to %s: %d batches sent, %d came", c.sender, c.receiver, l.sender.Stats().Batches.Load(), len(got[0]))
		}
		ls.stop()
	}
}

// What the producer's end of the lane does not allow is no frame: batches of another attempt are dropped, as in one process, and a gap ends the lane.
func TestASenderTakesWhatAReceiverWould(t *testing.T) {
	conn := newBroker(t, 0).connect(t)
	ls := newLinks(t)
	l := ls.remote(t, config(conn, "gap", 4), config(conn, "gap", 4), 4, mailbox.NewBell())
	send := func(a flow.Attempt, seq uint64) {
		b := l.in.Pool().Get()
		b.Attempt, b.Seq = a, seq
		if err := l.in.Send(ls.ctx, b); err != nil {
			t.Error(err)
		}
	}
	send(attempt, 1)
	send(attempt-1, 7)
	send(attempt, 3)
	select {
	case err := <-ls.broken:
		var gap mailbox.SequenceError
		if !errors.As(err, &gap) || gap != (mailbox.SequenceError{Want: 2, Got: 3}) || !strings.Contains(err.Error(), "lane gap") {
			t.Errorf("ended with %v", err)
		}
	case <-ls.ctx.Done():
		t.Fatal("the lane goes on")
	}
}

// Batches go back to their pools at both ends. One holds 128 kB here, of which next to nothing is sent.
func TestBatchesAreUsedAgain(t *testing.T) {
	const batches = 400
	conn := newBroker(t, 0).connect(t)
	ls := newLinks(t)
	in := mailbox.NewLane(2, mailbox.NewPool[string](4096), nil, nil)
	out := mailbox.NewLane(2, mailbox.NewPool[string](4096), nil, nil)
	c := config(conn, "again", 4)
	r, err := natslane.NewReceiver(c, out, texts{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := natslane.NewSender(c, in, texts{})
	if err != nil {
		t.Fatal(err)
	}
	ls.run(r.Run)
	ls.run(s.Run)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range uint64(batches) {
		b := in.Pool().Get()
		b.Attempt, b.Seq = attempt, i+1
		if err := in.Send(ls.ctx, b); err != nil {
			t.Fatal(err)
		}
		if b, err = out.Receive(ls.ctx, nil); err != nil {
			t.Fatal(err)
		}
		out.Pool().Put(b)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / batches; each > 90_000 { // the race detector's pools lose a quarter
		t.Errorf("%d bytes allocated per batch", each)
	}
}

func TestABatchThatIsTooLargeIsRefused(t *testing.T) {
	b := newBroker(t, 0)
	c := config(b.connect(t), "large", 4)
	c.BatchBytesMax = 1000
	ls := newLinks(t)
	l := ls.remote(t, c, c, 2, mailbox.NewBell())
	ls.produce(l, traffic{func(o *mailbox.Out[string]) {
		o.Add(0, strings.Repeat("x", 1000), 0, 0)
		o.Flush()
	}})
	_, err := ls.consume(func() {})
	if !errors.Is(err, wire.ErrTooLarge) || !strings.Contains(err.Error(), "limit is 1000") {
		t.Errorf("ended with %v", err)
	}
}

func TestAConfigThatCannotWorkIsRefused(t *testing.T) {
	conn := newBroker(t, 0).connect(t)
	good := natslane.Config{Conn: conn, Subject: "s"}
	for says, change := range map[string]func(*natslane.Config){
		"without a connection": func(c *natslane.Config) { c.Conn = nil },
		"without a subject":    func(c *natslane.Config) { c.Subject = "" },
		"-1 credits":           func(c *natslane.Config) { c.Credits = -1 },
		"credit for -1 bytes":  func(c *natslane.Config) { c.CreditBytes = -1 },
		"1073741825 bytes":     func(c *natslane.Config) { c.BatchBytesMax = 1<<30 + 1 },
		"probe every 1m0s":     func(c *natslane.Config) { c.ProbeEvery, c.AnswerWithin = time.Minute, time.Second },
		"invalid subject":      func(c *natslane.Config) { c.Subject = "a b" },
	} {
		c := good
		change(&c)
		lane := mailbox.NewLane(1, mailbox.NewPool[string](recordsMax), nil, nil)
		_, err := natslane.NewSender(c, lane, texts{})
		_, err2 := natslane.NewReceiver(c, lane, texts{})
		if err == nil || err2 == nil || !strings.Contains(fmt.Sprint(err, err2), says) {
			t.Errorf("%s: sender %v, receiver %v", says, err, err2)
		}
	}
	r, err := natslane.NewReceiver(good, mailbox.NewLane(1, mailbox.NewPool[string](recordsMax), nil, nil), texts{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil || conn.NumSubscriptions() != 0 {
		t.Errorf("closed twice: %v, %d subscriptions left", err, conn.NumSubscriptions())
	}
}
