package mailbox_test

import (
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
)

func wm(ns int64) flow.Mark { return flow.Mark{WatermarkNS: ns, Has: flow.HasWatermark} }

func TestWatermarkIsTheMinimumOfLiveInputs(t *testing.T) {
	w := mailbox.NewWatermarks(3)
	steps := []struct {
		input   int
		mark    flow.Mark
		records int
		want    int64
	}{
		{0, wm(10), 1, flow.NoWatermarkNS}, // two inputs have promised nothing
		{1, wm(20), 1, flow.NoWatermarkNS},
		{2, wm(5), 1, 5},
		{2, wm(3), 1, 5}, // monotone: an input that steps back changes nothing
		{2, flow.Mark{Has: flow.HasIdle}, 0, 10},
		{0, wm(30), 1, 20},
		{2, flow.Mark{}, 1, 20}, // a record ends idleness, and never moves time back
		{1, wm(40), 1, 20},      // held by input 2, which promised 5
		{2, wm(35), 0, 30},
		{0, flow.Mark{Has: flow.HasEnd}, 0, 35},
		{1, wm(flow.FinalWatermarkNS), 0, 35},
		{2, flow.Mark{WatermarkNS: flow.FinalWatermarkNS, Has: flow.HasWatermark | flow.HasEnd}, 0, flow.FinalWatermarkNS},
	}
	for i, s := range steps {
		before := w.Current()
		moved := w.Observe(s.input, s.mark, s.records)
		if w.Current() != s.want || moved != (before != s.want) {
			t.Fatalf("step %d: watermark %d, moved %t; want %d", i, w.Current(), moved, s.want)
		}
	}
	if w.Live() != 1 {
		t.Fatalf("%d live inputs, want 1", w.Live())
	}
}

// A source's task without splits ends at once, and its end is the end of time for it alone.
func TestAnEndedInputDoesNotEndTimeForIdleOnes(t *testing.T) {
	w := mailbox.NewWatermarks(3)
	w.Observe(0, flow.Mark{WatermarkNS: flow.FinalWatermarkNS, Has: flow.HasWatermark | flow.HasEnd}, 0)
	w.Observe(1, wm(10), 1)
	w.Observe(2, wm(20), 1)
	w.Observe(1, flow.Mark{Has: flow.HasIdle}, 0)
	if w.Observe(2, flow.Mark{Has: flow.HasIdle}, 0); w.Current() != 20 {
		t.Fatalf("watermark %d with all but the ended input idle, want 20", w.Current())
	}
	w.Observe(1, flow.Mark{WatermarkNS: flow.FinalWatermarkNS, Has: flow.HasWatermark | flow.HasEnd}, 0)
	w.Observe(2, flow.Mark{WatermarkNS: flow.FinalWatermarkNS, Has: flow.HasWatermark | flow.HasEnd}, 0)
	if w.Current() != flow.FinalWatermarkNS {
		t.Fatalf("watermark %d when all inputs have ended, want the final one", w.Current())
	}
}

func TestRestoredWatermarkNeverMovesBack(t *testing.T) {
	w := mailbox.NewWatermarks(1)
	w.Restore(100)
	if w.Observe(0, wm(50), 1) || w.Current() != 100 {
		t.Fatalf("watermark %d after a restore at 100", w.Current())
	}
	if !w.Observe(0, wm(150), 1) || w.Current() != 150 {
		t.Fatalf("watermark %d, want 150", w.Current())
	}
}
