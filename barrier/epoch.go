package barrier

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/flow"
)

// tasksNamedMax bounds the tasks that an error text names.
const tasksNamedMax = 8

// epoch is one that was started and is in no record yet: the one in flight, or an abandoned one.
type epoch struct {
	number   flow.Epoch
	answered []uint64 // bit set by task: it acknowledged or declined
	missing  int      // tasks that have not answered: zeros in answered
}

func newEpoch(number flow.Epoch, tasks int) *epoch {
	return &epoch{number: number, answered: make([]uint64, (tasks+63)/64), missing: tasks}
}

// answer notes a task's answer and says whether it is its first.
func (e *epoch) answer(task int) bool {
	word, bit := &e.answered[task/64], uint64(1)<<(task%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	e.missing--
	return true
}

// waiting names the first tasks that have not answered, such as "tasks 1, 3 (2 of 8)".
func (e *epoch) waiting(tasks int) string {
	var names []string
	for w, word := range e.answered {
		for rest := ^word; rest != 0 && len(names) < tasksNamedMax; rest &= rest - 1 {
			if task := w*64 + bits.TrailingZeros64(rest); task < tasks {
				names = append(names, strconv.Itoa(task))
			}
		}
	}
	if len(names) < e.missing {
		names = append(names, "…")
	}
	return "tasks " + strings.Join(names, ", ") + " (" + strconv.Itoa(e.missing) + " of " + strconv.Itoa(tasks) + ")"
}
