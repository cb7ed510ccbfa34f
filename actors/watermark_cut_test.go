package actors

import (
	"testing"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

type nothingDue struct{}

func (nothingDue) FireEvent(int) bool { return false }

// timely are tasks of an operator that waits for the watermark, sealed.
func timely(n int) (tasks []*Task) {
	for i := range n {
		t := NewTask(TaskConfig{Chain: "windows", Index: i, Count: n, Now: clock})
		t.Env.Clock = new(state.Clock)
		t.Env.AddEventTimed(nothingDue{})
		t.seal(barrier.ExactlyOnce, true)
		tasks = append(tasks, t)
	}
	return tasks
}

// Ahead of barriers tasks are cut with different watermarks, and one may have none yet: with another number of tasks the earliest counts, or records on their
// way to that one would be late. With the same number each goes on with its own.
func TestTasksCutWithDifferentWatermarks(t *testing.T) {
	for _, restored := range []int{2, 1, 3} {
		of := map[int]int64{}
		for i, task := range timely(2) {
			if i == 0 {
				task.Env.Clock.WatermarkNS = 100
			}
			b, some := task.watermarkBlock()
			if !some {
				t.Fatalf("task %d: the first cut says nothing of its watermark, %d", i, task.Env.Clock.WatermarkNS)
			}
			if err := decodeWatermarks(b, of); err != nil {
				t.Fatal(err)
			}
			if _, again := task.watermarkBlock(); again {
				t.Errorf("task %d: the second cut says again what the first said", i)
			}
		}
		tasks := timely(restored)
		restoreWatermarks(tasks, of)
		for i, task := range tasks {
			want := int64(flow.NoWatermarkNS)
			if restored == 2 && i == 0 {
				want = 100
			}
			if got := task.Env.Clock.WatermarkNS; got != want {
				t.Errorf("task %d of %d: watermark %d, want %d", i, restored, got, want)
			}
		}
	}
}
