package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/state"
)

// Steps between the sources and the branches.
const (
	opShake     = "shake" // panics at times
	opFilter    = "filter"
	opRebalance = "rebalance"
)

// Operators of branches.
const (
	opPass   = "pass"
	opCount  = "count"
	opWindow = "window"
	opSlide  = "slide"
	opTimers = "timers" // panes by hand: a map and timers in event time
	opDedup  = "dedup"
	opExpire = "expire" // a value with a time to live, checked against one without
	opHold   = "hold"   // a list that waits for a timer in processing time
)

var operators = []string{opPass, opCount, opWindow, opSlide, opTimers, opDedup, opExpire, opHold}

const paneNS, slideNS = 200_000, 100_000

func keyOf(e Event) string { return e.Key }

// eventTime is a time that is not the zero time.
func eventTime(e Event) time.Time { return time.Unix(0, e.AtNS) }

func keep(e Event) bool { return (e.Seq+int64(len(e.Key)))%5 != 0 }

// topology builds the job. Its sources, sinks and functions find the process that runs them in the world.
func (w *world) topology() *millrace.Job {
	j := millrace.NewJob("simulated")
	var ins []millrace.Stream[Event]
	for i := range w.s.sources {
		in := j.From(fmt.Sprintf("source-%d", i), &source{w, i * w.s.splits}).
			EventTime(fmt.Sprintf("time-%d", i), millrace.Watermark{Delay: disorderNS + apartNS, Idle: -1}, eventTime)
		ins = append(ins, in)
	}
	all := ins[0]
	if len(ins) > 1 {
		all = all.Union("union", ins[1:]...)
	}
	for _, step := range w.s.first {
		switch step {
		case opShake:
			all = all.Map(opShake, func(e Event) Event {
				if w.strikes(panics) {
					panic(errInjected)
				}
				return e
			})
		case opFilter:
			all = all.Filter(opFilter, keep)
		case opRebalance:
			all = all.Rebalance(opRebalance)
		}
	}
	var outs []millrace.Stream[Event]
	for _, b := range w.s.branches {
		out := w.branch(all, b.op).Map(b.op+"-name", func(e Event) Event { e.Op = b.op; return e })
		if b.counted {
			out = w.counted(out, b.op+"-counted").Map(b.op+"-counted-name", func(e Event) Event { e.Op = b.op + "-counted"; return e })
		}
		outs = append(outs, out)
	}
	w.ends(outs)
	return j
}

// ends gives the branches their sinks.
func (w *world) ends(outs []millrace.Stream[Event]) {
	switch {
	case !w.s.oneSink:
		for i, o := range outs {
			id := fmt.Sprintf("sink-%d", i)
			o.To(id, &sink{w, id})
		}
	case len(outs) > 1:
		outs[0].Union("together", outs[1:]...).To("sink", &sink{w, "sink"})
	default:
		outs[0].To("sink", &sink{w, "sink"})
	}
}

func (w *world) branch(s millrace.Stream[Event], op string) millrace.Stream[Event] {
	pane := func(p millrace.Pane[string, int64]) Event {
		return Event{Key: p.Key, AtNS: p.Start.UnixNano(), N: p.Value}
	}
	switch op {
	case opCount:
		return w.counted(s, op)
	case opWindow:
		return s.KeyBy(keyOf).Window(millrace.Tumbling{Size: paneNS}).Count(op).Stream(op+"-rows", pane)
	case opSlide:
		return s.KeyBy(keyOf).Window(millrace.Sliding{Size: paneNS, Slide: slideNS}).Sum(op, func(e Event) int64 { return e.Seq }).Stream(op+"-rows", pane)
	case opTimers:
		return s.KeyBy(keyOf).Process(op, w.timers)
	case opDedup:
		return s.KeyBy(func(e Event) string { return fmt.Sprintf("%s@%d", e.Key, e.AtNS) }).Dedup(op)
	case opExpire:
		return s.KeyBy(keyOf).Process(op, w.expire)
	case opHold:
		return s.KeyBy(keyOf).Process(op, w.hold)
	}
	return s
}

// counted numbers the records of each key.
func (w *world) counted(s millrace.Stream[Event], id string) millrace.Stream[Event] {
	return s.KeyBy(keyOf).Process(id, func(setup *millrace.Setup[string, Event]) millrace.Handler[string, Event, Event] {
		n := setup.Value[int64]("n", state.Forever)
		return func(c *millrace.Context[string, Event], e Event) error {
			count, _ := n.Get()
			n.Set(count + 1)
			c.Emit(Event{Key: e.Key, N: count + 1, Split: e.Split, Seq: e.Seq, AtNS: e.AtNS})
			return nil
		}
	})
}

func paneEnd(atNS int64) int64 { return atNS - atNS%paneNS + paneNS }

// timers counts the records of each key and pane, and emits the count when the watermark has passed the pane.
func (w *world) timers(setup *millrace.Setup[string, Event]) millrace.Handler[string, Event, Event] {
	panes := setup.Map[int64, int64]("panes", state.Forever)
	due := setup.EventTimer("end", func(c *millrace.Context[string, Event], at time.Time) error {
		if c.Watermark().Before(at) {
			w.violates("a timer of %v fires at watermark %v", at, c.Watermark())
		}
		n, there := panes.Get(at.UnixNano())
		if !there {
			w.violates("key %s: the timer of %d fires, and its pane is gone", c.Key(), at.UnixNano())
		}
		panes.Delete(at.UnixNano())
		c.Emit(Event{Key: c.Key(), AtNS: at.UnixNano(), N: n})
		return nil
	})
	return func(c *millrace.Context[string, Event], e Event) error {
		end := paneEnd(e.AtNS)
		n, _ := panes.Get(end)
		panes.Set(end, n+1)
		due.Set(time.Unix(0, end))
		return nil
	}
}

const expireTTL = 20 * time.Millisecond

// expire compares a value that expires with the time it was set at.
func (w *world) expire(setup *millrace.Setup[string, Event]) millrace.Handler[string, Event, Event] {
	short, setAt := setup.Value[int64]("short", expireTTL), setup.Value[int64]("set", state.Forever)
	return func(c *millrace.Context[string, Event], e Event) error {
		at, was := setAt.Get()
		got, there := short.Get()
		age := time.Duration(c.Now().UnixNano() - at)
		if want := was && age < expireTTL; there != want || there && got != at {
			w.violates("key %s: the value of %d, there %t, is seen after %v of %v; it was set %t at %d", c.Key(), got, there, age, expireTTL, was, at)
		}
		short.Set(c.Now().UnixNano())
		setAt.Set(c.Now().UnixNano())
		c.Emit(e)
		return nil
	}
}

const holdTime = 5 * time.Millisecond

// hold keeps records until a timer in processing time, or the end, lets them go.
func (w *world) hold(setup *millrace.Setup[string, Event]) millrace.Handler[string, Event, Event] {
	held, dueAt := setup.List[Event]("held", state.Forever), setup.Value[int64]("due", state.Forever)
	release := func(c *millrace.Context[string, Event]) {
		for e := range held.All() {
			c.Emit(e)
		}
		held.Clear()
	}
	timer := setup.Timer("release", func(c *millrace.Context[string, Event], at time.Time) error {
		if at.After(c.Now()) {
			w.violates("a timer of %v fires at %v", at, c.Now())
		}
		if due, _ := dueAt.Get(); due != at.UnixNano() {
			w.violates("key %s: a timer of %d fires, and the newest was set for %d", c.Key(), at.UnixNano(), due)
		}
		dueAt.Clear()
		release(c)
		return nil
	})
	last := setup.EventTimer("last", func(c *millrace.Context[string, Event], _ time.Time) error {
		release(c)
		return nil
	})
	return func(c *millrace.Context[string, Event], e Event) error {
		held.Append(e)
		if _, set := dueAt.Get(); !set {
			at := c.Now().Add(holdTime)
			dueAt.Set(at.UnixNano())
			timer.Set(at)
		}
		last.Set(time.Unix(1<<30, 0))
		return nil
	}
}

// ordered says whether records of a split and key come out in order of a branch.
func (s *swarm) ordered(op string) bool {
	return !slices.Contains(s.first, opRebalance) && slices.Contains([]string{opPass, opCount, opExpire, opHold}, strings.TrimSuffix(op, "-counted"))
}
