package actors

import (
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/mailbox"
)

// busy is an input that always has a batch, whose records write keys that nothing wrote before.
type busy struct {
	mailbox.Input
	write func(records int)
	batch int
}

func (b *busy) Take() bool                { return true }
func (b *busy) Deliver() (flow.Mark, int) { b.write(b.batch); return flow.Mark{}, b.batch }
func (b *busy) Waiting() bool             { return true }
func (b *busy) SetMasked(bool)            {}
func (b *busy) Queued() int               { return 1 }
func (b *busy) Discard()                  {}

// A task that always has input encodes its snapshot faster than records dirty the state. Otherwise each epoch has more to
// encode than the one before, until epochs are abandoned and the job has nothing to go on from.
func TestABusyTaskFinishesItsSnapshot(t *testing.T) {
	for _, batch := range []int{1, 256, 4096} {
		task, table, reports := stepped(t)
		next := int64(0)
		task.inputs = append(task.inputs, &busy{batch: batch, write: func(n int) {
			write(table, next, next+int64(n))
			next += int64(n)
		}})
		turns := invariants.Sized(50, 15)
		for epoch := flow.Epoch(1); epoch <= 3; epoch++ {
			for range turns {
				task.Step(clock())
			}
			task.control(trigger{barrier: flow.BarrierOf(epoch, flow.NoBatch)})
			for n := 1; len(*reports) < int(epoch); n++ {
				if n > turns {
					t.Fatalf("batches of %d: epoch %d is of %d batches and not encoded %d batches later", batch, epoch, turns, n)
				}
				task.Step(clock())
			}
		}
	}
}
