package millrace_test

import (
	"fmt"
	"strconv"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// ad is an impression of an advertisement or a click on it, some minutes after noon.
type ad struct {
	ID     string
	Minute int
}

func (a ad) id() string    { return a.ID }
func (a ad) at() time.Time { return time.Date(2026, 5, 1, 12, a.Minute, 0, 0, time.UTC) }

var (
	impressions = []ad{{"shoes", 0}, {"books", 5}, {"tea", 10}}
	clicks      = []ad{{"shoes", 20}, {"shoes", 60}, {"tea", 71}, {"cars", 90}}
)

// shown reads the impressions and the clicks, each by advertisement, with event times.
func shown(job *millrace.Job) (imps, clks millrace.Keyed[string, ad]) {
	read := func(id string, ads []ad) millrace.Keyed[string, ad] {
		return job.From(id, sources.Slice(ads...)).EventTime(id+" time", millrace.Watermark{}, ad.at).KeyBy(ad.id)
	}
	return read("impressions", impressions), read("clicks", clicks)
}

// anHour is the hour from the impression on, both ends included.
var anHour = millrace.Within{After: time.Hour}

func attributed(imp ad, hasImp bool, click ad, hasClick bool) string {
	switch {
	case !hasClick:
		return imp.ID + ": shown, not clicked"
	case !hasImp:
		return click.ID + ": clicked, not shown"
	}
	return fmt.Sprintf("%s: clicked after %d minutes", imp.ID, click.Minute-imp.Minute)
}

func ExampleKeyed_Join() {
	job := millrace.NewJob("attribution")
	imps, clks := shown(job)
	imps.Join("attribute", clks, anHour, func(imp, click ad) string { return attributed(imp, true, click, true) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// shoes: clicked after 20 minutes
	// shoes: clicked after 60 minutes
}

// What was not clicked comes out when the watermark has passed the hour.
func ExampleKeyed_LeftJoin() {
	job := millrace.NewJob("attribution")
	imps, clks := shown(job)
	imps.LeftJoin("attribute", clks, anHour, func(imp, click ad, has bool) string { return attributed(imp, true, click, has) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// shoes: clicked after 20 minutes
	// shoes: clicked after 60 minutes
	// books: shown, not clicked
	// tea: shown, not clicked
}

func ExampleKeyed_RightJoin() {
	job := millrace.NewJob("attribution")
	imps, clks := shown(job)
	imps.RightJoin("attribute", clks, anHour, func(imp ad, has bool, click ad) string { return attributed(imp, has, click, true) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// shoes: clicked after 20 minutes
	// shoes: clicked after 60 minutes
	// tea: clicked, not shown
	// cars: clicked, not shown
}

func ExampleKeyed_FullJoin() {
	job := millrace.NewJob("attribution")
	imps, clks := shown(job)
	imps.FullJoin("attribute", clks, anHour, attributed).To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// shoes: clicked after 20 minutes
	// shoes: clicked after 60 minutes
	// books: shown, not clicked
	// tea: shown, not clicked
	// tea: clicked, not shown
	// cars: clicked, not shown
}

// A semi join passes what was clicked, once.
func ExampleKeyed_SemiJoin() {
	job := millrace.NewJob("clicked")
	imps, clks := shown(job)
	imps.SemiJoin("clicked", clks, anHour).Map("id", ad.id).To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// shoes
}

// An anti join passes what was not.
func ExampleKeyed_AntiJoin() {
	job := millrace.NewJob("ignored")
	imps, clks := shown(job)
	imps.AntiJoin("ignored", clks, anHour).Map("id", ad.id).To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// books
	// tea
}

// Without a bound in time, records meet whenever they came.
func ExampleKeyed_JoinAll() {
	job := millrace.NewJob("attribution")
	imps, clks := shown(job)
	imps.JoinAll("attribute", clks, state.Forever, func(imp, click ad) string { return attributed(imp, true, click, true) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// shoes: clicked after 20 minutes
	// shoes: clicked after 60 minutes
	// tea: clicked after 61 minutes
}

// price is what an advertisement costs from a minute on.
type price struct {
	ID     string
	Minute int
	Cents  int
}

func (p price) id() string    { return p.ID }
func (p price) at() time.Time { return ad{p.ID, p.Minute}.at() }

// Each click is charged at the price that held when it happened.
func ExampleKeyed_AsOf() {
	job := millrace.NewJob("charges")
	_, clks := shown(job)
	prices := job.From("prices", sources.Slice(price{"shoes", 0, 10}, price{"shoes", 30, 12}, price{"shoes", 61, 15}, price{"tea", 80, 5})).
		EventTime("prices time", millrace.Watermark{}, price.at).KeyBy(price.id)
	clks.AsOf("charge", prices, func(click ad, p price, has bool) string {
		if !has {
			return click.ID + ": no price"
		}
		return fmt.Sprintf("%s: %d cents", click.ID, p.Cents)
	}).To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// shoes: 10 cents
	// shoes: 12 cents
	// tea: no price
	// cars: no price
}

// A processor of two inputs: clicks are let through while a switch is on.
func ExampleKeyed_Process2() {
	type flip struct {
		ID string
		On bool
	}
	job := millrace.NewJob("switched")
	flips := job.From("switches", sources.Slice(flip{"shoes", true}, flip{"tea", false}))
	ids := job.From("ads", sources.Slice("shoes", "tea"))
	ids.KeyBy(itself).Process2("switch", flips.KeyBy(func(f flip) string { return f.ID }),
		func(s *millrace.Setup[string, string]) (millrace.Handler[string, string, string], millrace.Handler[string, flip, string]) {
			on, waiting := s.Value[bool]("on", state.Forever), s.List[string]("waiting", time.Hour)
			onAd := func(c *millrace.Context[string, string], id string) error {
				if is, known := on.Get(); is {
					c.Emit(id)
				} else if !known {
					waiting.Append(id)
				}
				return nil
			}
			onFlip := func(c *millrace.Context[string, string], f flip) error {
				on.Set(f.On)
				for id := range waiting.All() {
					if f.On {
						c.Emit(id)
					}
				}
				waiting.Clear()
				return nil
			}
			return onAd, onFlip
		}).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// shoes
}

// A static table is read once, when the job starts.
func ExampleStream_JoinStatic() {
	type student struct {
		Name  string
		Class int
	}
	classes := millrace.NewStatic(sources.Slice(class{1, "art"}, class{2, "sql"}), millrace.StaticConfig{}, class.id)
	job := millrace.NewJob("students")
	job.From("students", sources.Slice(student{"ann", 1}, student{"bob", 3}, student{"cid", 2})).
		JoinStatic("classes", classes, func(s student) int { return s.Class }, func(s student, c class) string { return s.Name + " learns " + c.Title }).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// ann learns art
	// cid learns sql
}

// The left join keeps who is in no class.
func ExampleStream_LeftJoinStatic() {
	type student struct {
		Name  string
		Class int
	}
	classes := millrace.NewStatic(sources.Slice(class{1, "art"}, class{2, "sql"}), millrace.StaticConfig{}, class.id)
	job := millrace.NewJob("students")
	job.From("students", sources.Slice(student{"ann", 1}, student{"bob", 3})).
		LeftJoinStatic("classes", classes, func(s student) int { return s.Class }, func(s student, c class, has bool) string {
			if !has {
				return s.Name + " learns nothing"
			}
			return s.Name + " learns " + c.Title
		}).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// ann learns art
	// bob learns nothing
}

// The key of Dedup contains the event time; a late record is not taken for a new one.
func ExampleKeyed_Dedup() {
	job := millrace.NewJob("unique")
	twice := append(append([]ad{}, clicks...), clicks[0], clicks[3])
	job.From("clicks", sources.Slice(twice...)).
		EventTime("time", millrace.Watermark{Delay: time.Hour}, ad.at).
		KeyBy(func(a ad) ad { return a }).
		Dedup("unique").
		To("out", toStdout[ad]())
	toEnd(job)
	// Unordered output:
	// {shoes 20}
	// {shoes 60}
	// {tea 71}
	// {cars 90}
}

// With a key of its own, of records less than an hour apart the first to come passes.
func ExampleKeyed_DedupWithin() {
	job := millrace.NewJob("unique")
	job.From("clicks", sources.Slice(clicks...)).
		EventTime("time", millrace.Watermark{}, ad.at).
		KeyBy(ad.id).
		DedupWithin("unique", time.Hour).
		To("out", toStdout[ad]())
	toEnd(job)
	// Unordered output:
	// {shoes 20}
	// {tea 71}
	// {cars 90}
}

// By processing time no watermark is needed.
func ExampleKeyed_DedupTTL() {
	job := millrace.NewJob("unique")
	job.From("words", sources.Slice("a", "b", "a")).
		KeyBy(itself).
		DedupTTL("unique", time.Hour).
		To("out", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// a
	// b
}

// A processor without keys: what is wrong with a line goes to a side output.
func ExampleStream_Process() {
	bad := millrace.NewTag[string]("bad")
	job := millrace.NewJob("numbers")
	numbers := job.From("lines", sources.Slice("1", "x", "3")).
		Process("parse", func(c *millrace.Context[millrace.Unkeyed, int], line string) error {
			n, err := strconv.Atoi(line)
			if err != nil {
				c.EmitTo(bad, line+" is not a number")
				return nil
			}
			c.Emit(n)
			return nil
		})
	numbers.To("out", toStdout[int]())
	numbers.Side(bad).To("bad", toStdout[string]())
	toEnd(job)
	// Unordered output:
	// 1
	// x is not a number
	// 3
}
