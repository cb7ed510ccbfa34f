package topologies

import (
	"flag"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

// Shown is an impression of an ad, Clicked a click on it.
type (
	Shown struct {
		Ad   string    `json:"ad"`
		Time time.Time `json:"time"`
	}
	Clicked struct {
		Ad   string    `json:"ad"`
		Time time.Time `json:"time"`
	}
)

// AdClick is an impression with a click on it; the one that is missing has no time.
type AdClick struct {
	Ad      string    `json:"ad"`
	Shown   time.Time `json:"shown,omitzero"`
	Clicked time.Time `json:"clicked,omitzero"`
}

const adDelay = time.Minute

// AdClicks joins impressions to the clicks on them within an hour. What has no match comes out, if kind asks for it, when the
// watermark proves that no match can come.
func AdClicks(shown millrace.Stream[Shown], clicked millrace.Stream[Clicked], kind Join) millrace.Stream[AdClick] {
	s := shown.EventTime("shown-time", millrace.Watermark{Delay: adDelay}, func(s Shown) time.Time { return s.Time }).KeyBy(func(s Shown) string { return s.Ad })
	c := clicked.EventTime("clicked-time", millrace.Watermark{Delay: adDelay}, func(c Clicked) time.Time { return c.Time }).KeyBy(func(c Clicked) string { return c.Ad })
	hour := millrace.Within{After: time.Hour}
	switch kind {
	case Left:
		return s.LeftJoin("join", c, hour, func(s Shown, c Clicked, _ bool) AdClick { return AdClick{s.Ad, s.Time, c.Time} })
	case Right:
		return s.RightJoin("join", c, hour, func(s Shown, _ bool, c Clicked) AdClick { return AdClick{c.Ad, s.Time, c.Time} })
	case Full:
		return s.FullJoin("join", c, hour, func(s Shown, shown bool, c Clicked, _ bool) AdClick {
			if !shown {
				s.Ad = c.Ad
			}
			return AdClick{s.Ad, s.Time, c.Time}
		})
	case Semi:
		return s.SemiJoin("join", c, hour).Map("row", func(s Shown) AdClick { return AdClick{Ad: s.Ad, Shown: s.Time} })
	}
	return s.Join("join", c, hour, func(s Shown, c Clicked) AdClick { return AdClick{s.Ad, s.Time, c.Time} })
}

var adClicks = runner.Topology{
	Name: "ad-clicks",
	Doc:  "S15: ad impressions joined to clicks within an hour: inner, left, right, full or semi",
	Flags: func(fs *flag.FlagSet) runner.Build {
		in, kind := registerInput(fs), Inner
		fs.TextVar(&kind, "kind", Inner, "of the join: inner, left, right, full or semi")
		return func(job *millrace.Job, o *runner.Options) error {
			shown, clicked, err := adInputs(job, o, in)
			if err != nil {
				return err
			}
			rows := AdClicks(shown, clicked, kind)
			rows.To("view", o.Newest([]string{"ad", "shown", "clicked"}, func(r AdClick) []string { return []string{r.Ad, clock(r.Shown), clock(r.Clicked)} }))
			return in.writes(o, rows, func(r AdClick) string { return r.Ad })
		}
	},
}
