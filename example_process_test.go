package millrace_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// rises emits a shop's sale when it is above the one before. The outer function declares, once per task; the inner one
// works, once per record. Here a shop that sells nothing for a day is forgotten.
func rises(s *millrace.Setup[string, string]) millrace.Handler[string, sale, string] {
	last := s.Value[int]("last", 24*time.Hour)
	return func(c *millrace.Context[string, string], v sale) error {
		if before, ok := last.Get(); ok && v.Cents > before {
			c.Emit(fmt.Sprintf("%s rose from %d to %d", c.Key(), before, v.Cents))
		}
		last.Set(v.Cents)
		return nil
	}
}

func ExampleKeyed_Process() {
	job := millrace.NewJob("rises")
	job.From("sales", sources.Slice(sales...)).
		KeyBy(sale.shop).
		Process("rises", rises).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// north rose from 50 to 700
}

// A timer is declared with its handler and fires without input: here when a user has done nothing for a while.
func ExampleKeyed_Process_timer() {
	users, alerts := make(chan string), make(chan string)
	job := millrace.NewJob("quiet")
	job.From("users", sources.Channel(users)).
		KeyBy(func(user string) string { return user }).
		Process("quiet", func(s *millrace.Setup[string, string]) millrace.Handler[string, string, string] {
			deadline := s.Value[int64]("deadline", state.Forever)
			quiet := s.Timer("quiet", func(c *millrace.Context[string, string], _ time.Time) error {
				deadline.Clear()
				c.Emit(c.Key() + " is quiet")
				return nil
			})
			return func(c *millrace.Context[string, string], _ string) error {
				if old, ok := deadline.Get(); ok {
					quiet.Delete(time.Unix(0, old))
				}
				at := c.Now().Add(20 * time.Millisecond)
				deadline.Set(at.UnixNano())
				quiet.Set(at)
				return nil
			}
		}).
		To("alerts", sinks.Each(func(alert string) error { alerts <- alert; return nil }))

	query, err := job.Start(context.Background(), millrace.Config{Parallelism: 1})
	if err != nil {
		panic(err)
	}
	users <- "ann"
	fmt.Println(<-alerts)
	close(users)
	fmt.Println(query.Await(context.Background()))
	// Output:
	// ann is quiet
	// <nil>
}

// refunds is a side output: records that leave a processor beside its main output.
var refunds = millrace.NewTag[sale]("refunds")

func ExampleStream_Side() {
	job := millrace.NewJob("refunds")
	paid := job.From("sales", sources.Slice(sale{"north", 900}, sale{"north", -500}, sale{"south", 20})).
		KeyBy(sale.shop).
		Process("part", func(*millrace.Setup[string, sale]) millrace.Handler[string, sale, sale] {
			return func(c *millrace.Context[string, sale], s sale) error {
				if s.Cents < 0 {
					c.EmitTo(refunds, s)
				} else {
					c.Emit(s)
				}
				return nil
			}
		})
	kept, given := sinks.Collect[sale](), sinks.Collect[sale]()
	paid.To("paid", kept)
	paid.Side(refunds).To("refunds", given)
	toEnd(job)
	fmt.Println("paid", kept.Values())
	fmt.Println("refunds", given.Values())
	// Output:
	// paid [{north 900} {south 20}]
	// refunds [{north -500}]
}

// What a source cannot decode, here a line that is too long, goes to a sink with where it was and why.
func ExampleJob_DeadLetters() {
	job := millrace.NewJob("letters")
	lines, letters := sinks.Collect[string](), sinks.Collect[millrace.DeadLetter]()
	input := strings.NewReader("short\nmuch too long\nfine\n")
	job.From("lines", sources.Lines(sources.LinesConfig{Input: input, MaxLineBytes: 8})).To("out", lines)
	job.DeadLetters("letters", letters)
	toEnd(job)
	fmt.Println(lines.Values())
	for _, l := range letters.Values() {
		fmt.Printf("%s, %s: %q\n", l.Operator, l.Reason, l.Value)
	}
	// Output:
	// [short fine]
	// lines, line of 13 bytes, at most 8: raise LinesConfig.MaxLineBytes: "much too long"
}

// stock is a table of the goods there are: a row that is emitted replaces the key's, one that is sold out is withdrawn. What was
// asked for in vain is a side output.
func stock(job *millrace.Job) millrace.Table[string, int] {
	return job.From("moves", sources.Slice(sale{"pen", 3}, sale{"ink", 1}, sale{"ink", -1}, sale{"pen", -5})).
		KeyBy(sale.shop).
		ProcessTable("stock", func(s *millrace.Setup[string, int]) millrace.Handler[string, sale, int] {
			stored := s.Value[int]("stored", state.Forever)
			return func(c *millrace.Context[string, int], move sale) error {
				before, _ := stored.Get()
				switch now := before + move.Cents; {
				case now < 0:
					c.EmitTo(missing, fmt.Sprintf("%s: %d too few", c.Key(), -now))
				case now == 0:
					stored.Clear()
					c.Withdraw()
				default:
					stored.Set(now)
					c.Emit(now)
				}
				return nil
			}
		})
}

var missing = millrace.NewTag[string]("missing")

func ExampleKeyed_ProcessTable() {
	job := millrace.NewJob("stock")
	stock(job).To("out", toStdout[millrace.Pair[string, int]](), millrace.Update)
	toEnd(job)
	// Output:
	// {pen 3}
	// {ink 1}
	// delete {ink 1}
}

func ExampleTable_Side() {
	job := millrace.NewJob("missing")
	stock(job).Side(missing).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// pen: 2 too few
}
