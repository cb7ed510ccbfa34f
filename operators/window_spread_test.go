package operators_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/state"
)

// No firing drops the slices of all keys at once, although those of all keys come to an end together: it would take several times as
// long as the others, and the panes of that many windows would be late. All of it goes in the end.
func TestFiringsShareTheDrops(t *testing.T) {
	const keys, slide = 1000, 100 * time.Millisecond
	clock := &state.Clock{WatermarkNS: flow.NoWatermarkNS}
	e := volatileEnv(clock)
	f, err := operators.NewAligned(e, "window", operators.Sliding(10*time.Second, slide, 0), operators.WindowConfig{Finals: true},
		click.ad, operators.SumOf(func(c click) int64 { return c.Value }), nil, func(operators.Pane[int64, int64]) {})
	if err != nil {
		t.Fatal(err)
	}
	users, err := codec.KeyOf[int64]()
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for pane := range int64(300) {
		for i := range int64(keys) {
			e.TimeNS, e.Hash = pane*int64(slide)+i, users.Hash(i)
			f(click{i, e.TimeNS, 1})
		}
		clock.WatermarkNS = (pane + 1) * int64(slide)
		before := e.Store.Entries()
		fire(e)
		most = max(most, before-e.Store.Entries())
	}
	if most == 0 || most > keys/8 {
		t.Errorf("one firing dropped %d blocks of %d keys", most, keys)
	}
	clock.WatermarkNS += int64(20 * time.Second)
	fire(e)
	if n := e.Store.Entries(); n != 0 {
		t.Errorf("%d entries are left when all windows have ended", n)
	}
}

// volatileEnv is what one task gives its operators, in a job without snapshots.
func volatileEnv(clock *state.Clock) *operators.Env {
	return &operators.Env{Clock: clock, Store: state.NewStore(state.Options{Groups: flow.RangeOf(0, flow.DefaultKeyGroups, 1), Clock: clock, Volatile: true})}
}

// fire lets all that is due in event time happen.
func fire(e *operators.Env) {
	for _, o := range e.EventTimed() {
		for o.FireEvent(256) {
		}
	}
}
