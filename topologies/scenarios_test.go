package topologies_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/topologies"
)

// trial is a job of a scenario on generated input.
type trial struct {
	*millrace.Job
	records   int64 // of each input
	perSecond int64 // of each input, 0 as fast as they are taken
	tapAt     int64 // when so many records of all inputs have been read
	tapped    chan struct{}
	read      atomic.Int64
	out       any // what it writes to; when it is set the job goes on with it
}

func (x *trial) collector[T any]() *sinks.Collector[T] {
	out, ok := x.out.(*sinks.Collector[T])
	if !ok {
		out = sinks.Collect[T]()
		x.out = out
	}
	return out
}

// generated is an input of f(0), f(1), ….
func (x *trial) generated[T any](id string, f func(int64) T) millrace.Stream[T] {
	src := sources.Generate(sources.GeneratorConfig{Splits: 3, Count: x.records}, f)
	if x.perSecond > 0 {
		src = sources.Throttle(src, x.perSecond)
	}
	return x.From(id, src).Map(id+" tap", func(v T) T {
		if x.read.Add(1) == x.tapAt {
			close(x.tapped)
		}
		return v
	})
}

// result is what a scenario came to: rows as text with how often they came, or by key.
type result func() map[string]string

// appended is how often each record of s came.
func (x *trial) appended[T any](s millrace.Stream[T]) result {
	out := x.collector[T]()
	s.To("out", out)
	return counted(out)
}

func counted[T any](out *sinks.Collector[T]) result {
	return func() map[string]string {
		n := map[string]int{}
		for _, v := range out.Values() {
			n[text(v)]++
		}
		all := map[string]string{}
		for k, n := range n {
			all[k] = fmt.Sprint(n)
		}
		return all
	}
}

// updated is the last row of each key.
func updated[T sinks.Keyed](out *sinks.Collector[T]) result {
	return func() map[string]string {
		all := map[string]string{}
		for _, r := range out.Rows() {
			if k := text(r.Value.RowKey()); r.Kind == flow.Delete {
				delete(all, k)
			} else {
				all[k] = text(r.Value)
			}
		}
		return all
	}
}

func (x *trial) table[K comparable, V any](t millrace.Table[K, V]) result {
	out := x.collector[millrace.Pair[K, V]]()
	t.To("out", out, millrace.Update)
	return updated(out)
}

func (x *trial) panes[K comparable, V any](p millrace.Panes[K, V], m millrace.Mode) result {
	if m == millrace.Complete {
		sink, last := lastTable[millrace.Pane[K, V]]()
		p.To("out", sink, m)
		return last
	}
	out := x.collector[millrace.Pane[K, V]]()
	p.To("out", out, m)
	if m == millrace.Append {
		return counted(out)
	}
	return updated(out)
}

// lastTable is the newest table of complete output.
func lastTable[T sinks.Keyed]() (sinks.Sink[T], result) {
	last := map[string]string{}
	sink := sinks.ForEachBatch(func(_ context.Context, _ int64, rows []sinks.Row[T]) error {
		clear(last)
		for _, r := range rows {
			last[text(r.Value.RowKey())] = text(r.Value)
		}
		return nil
	})
	return sink, func() map[string]string { return last }
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// scenarios are the registered topologies on generated input, by name; a slash separates variants. Those that only copy are left out.
var scenarios = map[string]func(*trial) result{
	"wordcount":   func(x *trial) result { return x.table(topologies.WordCount(x.generated("lines", lines))) },
	"keyed-count": func(x *trial) result { return x.table(topologies.KeyedCount(x.generated("keys", lines))) },
	"count-by-value": func(x *trial) result {
		return x.table(topologies.CountByValue(x.generated("rows", topologies.RepeatedRow)))
	},
	"union-count":         unionCount,
	"ttl-state":           tallies,
	"broadcast-join":      visits(topologies.Inner),
	"broadcast-join/left": visits(topologies.Left),
	"drop-duplicates":     func(x *trial) result { return x.appended(dropDuplicates(x.generated("rows", topologies.RepeatedRow))) },
	"ad-clicks":           ads(topologies.Inner),
	"ad-clicks/left":      ads(topologies.Left),
	"ad-clicks/right":     ads(topologies.Right),
	"ad-clicks/full":      ads(topologies.Full),
	"ad-clicks/semi":      ads(topologies.Semi),
	"json-to-json": func(x *trial) result {
		return x.appended(topologies.Invoices(x.generated("orders", topologies.MakeOrder)))
	},
	"invoices-postgres": func(x *trial) result {
		return x.appended(topologies.Invoices(x.generated("orders", topologies.MakeOrder)))
	},
	"word-count-postgres":     wordTables,
	"word-count-files":        wordTables,
	"socket-count":            wordTables,
	"trades-average":          tradesAverage(millrace.Update),
	"trades-average/append":   tradesAverage(millrace.Append),
	"trades-average/complete": tradesAverage(millrace.Complete),
	"traffic":                 traffic(millrace.Update),
	"traffic/append":          traffic(millrace.Append),
	"students-classes":        students(topologies.Inner),
	"students-classes/left":   students(topologies.Left),
	"students-classes/stream": func(x *trial) result {
		return x.appended(topologies.StudentsJoinClasses(x.generated("students", topologies.MakeStudent), x.generated("classes", topologies.MakeClass)))
	},
	"trades-live": func(x *trial) result {
		return x.panes(topologies.TradesLive(x.generated("trades", topologies.LiveTrade)), millrace.Update)
	},
}

func lines(i int64) string { return topologies.Text{Words: 300}.Line(i) }

func wordTables(x *trial) result {
	sink, last := lastTable[millrace.Pair[string, int64]]()
	topologies.WordCount(x.generated("lines", lines)).To("out", sink, millrace.Complete)
	return last
}

func unionCount(x *trial) result {
	both := x.generated("a", topologies.RepeatedRow).Union("union", x.generated("b", topologies.RepeatedRow))
	return x.table(topologies.CountByValue(both))
}

// tallies have the time at the source, which is another in each run.
func tallies(x *trial) result {
	keys := x.generated("keys", func(i int64) string { return fmt.Sprint(i % 100) })
	return x.appended(topologies.TTLState(keys).Map("timeless", func(t topologies.Tally) topologies.Tally { t.SourceNS = 0; return t }))
}

func visits(kind topologies.Join) func(*trial) result {
	return func(x *trial) result {
		countries := static(topologies.CountryCode, topologies.Country{Code: "se", Name: "Sweden"}, topologies.Country{Code: "nl", Name: "Netherlands"})
		return x.appended(topologies.BroadcastJoin(x.generated("visits", topologies.MakeVisit), countries, kind))
	}
}

func students(kind topologies.Join) func(*trial) result {
	return func(x *trial) result {
		classes := static(topologies.StudentOf, topologies.ClassRows()...)
		return x.appended(topologies.StudentsClasses(x.generated("students", topologies.MakeStudent), classes, kind))
	}
}

func ads(kind topologies.Join) func(*trial) result {
	return func(x *trial) result {
		return x.appended(topologies.AdClicks(x.generated("shown", topologies.ShownAd), x.generated("clicked", topologies.ClickedAd), kind))
	}
}

func tradesAverage(m millrace.Mode) func(*trial) result {
	return func(x *trial) result {
		return x.panes(topologies.TradesAverage(x.generated("trades", topologies.LateTrade), m), m)
	}
}

func traffic(m millrace.Mode) func(*trial) result {
	return func(x *trial) result {
		return x.panes(topologies.Traffic(x.generated("reports", topologies.MakeReport)), m)
	}
}
