package barrier

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/flow"
)

// tasksNamedMax bounds the tasks that an error text names.
const tasksNamedMax = 8

// rollCall ticks off tasks, each once.
type rollCall struct {
	present []uint64 // one bit for each task
	tasks   int
	missing int // tasks whose bit is not set
}

func newRollCall(tasks int) rollCall {
	return rollCall{present: make([]uint64, (tasks+63)/64), tasks: tasks, missing: tasks}
}

// tick ticks a task off and says whether it was missing.
func (r *rollCall) tick(task int) bool {
	word, bit := &r.present[task/64], uint64(1)<<(task%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	r.missing--
	return true
}

// absent names the first missing tasks, such as "tasks 1, 3 (2 of 8)".
func (r *rollCall) absent() string {
	var names []string
	for w, word := range r.present {
		for rest := ^word; rest != 0 && len(names) < tasksNamedMax; rest &= rest - 1 {
			if task := w*64 + bits.TrailingZeros64(rest); task < r.tasks {
				names = append(names, strconv.Itoa(task))
			}
		}
	}
	if len(names) < r.missing {
		names = append(names, "…")
	}
	return fmt.Sprintf("tasks %s (%d of %d)", strings.Join(names, ", "), r.missing, r.tasks)
}

// epoch is one that was started and is in no record yet: the one in flight, or an abandoned one.
type epoch struct {
	number   flow.Epoch
	rollCall // who acknowledged
}
