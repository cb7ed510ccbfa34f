package topologies

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

// Join is a kind of join.
type Join uint8

// The kinds of joins.
const (
	Inner Join = iota
	Left
	Right
	Full
	Semi
)

var joinNames = []string{"inner", "left", "right", "full", "semi"}

// MarshalText implements encoding.TextMarshaler.
func (j Join) MarshalText() ([]byte, error) { return []byte(joinNames[j]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (j *Join) UnmarshalText(text []byte) error {
	i := slices.Index(joinNames, string(text))
	if i < 0 {
		return fmt.Errorf("want one of %q", joinNames)
	}
	*j = Join(i)
	return nil
}

// adsPerSecond is the pace of generated impressions and clicks together: half an hour of event time goes by in a second.
const adsPerSecond = 3600

// adInputs attaches the impressions and the clicks.
func adInputs(job *millrace.Job, o *runner.Options, in *input) (shown millrace.Stream[Shown], clicked millrace.Stream[Clicked], err error) {
	both, err := in.each("shown", "clicked")
	if err != nil {
		return shown, clicked, err
	}
	if shown, err = both[0].from(job, o, "shown", adsPerSecond, ShownAd); err != nil {
		return shown, clicked, err
	}
	clicked, err = both[1].from(job, o, "clicked", adsPerSecond, ClickedAd)
	return shown, clicked, err
}

// ShownAd makes an impression a second, each of an ad of its own.
func ShownAd(i int64) Shown { return Shown{adName(i), generatedAt(i, time.Second, adDelay)} }

// ClickedAd makes a click a second, up to an hour and a half after the ad was shown. In the first hour many are on ads that were
// shown before the first impression.
func ClickedAd(i int64) Clicked {
	return Clicked{adName(i - below(^i, 5400)), generatedAt(i, time.Second, adDelay)}
}

func adName(i int64) string { return "ad " + strconv.FormatInt(i, 10) }

// clock shows a time; one that is missing is a dash.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(clockFormat)
}
