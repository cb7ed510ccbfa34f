package actors

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// EmittedState is the name under which the key groups whose last rows an operator has emitted stand in a checkpoint. Without it
// a task restored behind its end would emit them again.
const EmittedState = "emitted"

// emittedBlocks is the delta of what the operators that emit at the end have emitted. A cut finds all of it or nothing: while a
// task emits last records it takes no barrier.
func (t *Task) emittedBlocks() (blocks []delta.Block) {
	ids := t.Env.FinalIDs()
	if len(ids) == 0 || t.emittedCut || !t.endSent && !t.reopened {
		return nil
	}
	t.emittedCut, t.reopened = t.endSent, false
	own := t.Env.Store.Groups()
	for _, id := range ids {
		b := delta.Block{Operator: id, State: EmittedState, Group: flow.KeyGroup(own.Lo), Count: own.Len()}
		for g := own.Lo; g < own.Hi; g++ {
			key := binary.BigEndian.AppendUint16(nil, uint16(g))
			if t.endSent {
				b.Data = delta.AppendPut(b.Data, key, nil)
			} else {
				b.Data = delta.AppendDelete(b.Data, key)
			}
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// reopen forgets that last rows were emitted: the input has gone on after all, with splits that were found since.
func (t *Task) reopen() {
	if t.Env.ForgetEmitted() {
		t.reopened = true
	}
}

// restoreEmitted tells the tasks of an operator which key groups' last rows are out.
func (d *Deployment) restoreEmitted(b delta.Block, tasks []*Task) error {
	for data := b.Data; len(data) > 0; {
		key, _, deleted, rest, err := delta.Next(data)
		if err == nil && (len(key) != 2 || int(binary.BigEndian.Uint16(key)) >= d.KeyGroups) {
			err = delta.ErrDamaged
		}
		if err != nil {
			return fmt.Errorf("last rows of operator %q: %w", b.Operator, err)
		}
		data = rest
		g := flow.KeyGroup(binary.BigEndian.Uint16(key))
		tasks[flow.TaskOf(g, d.KeyGroups, len(tasks))].Env.SetEmitted(b.Operator, g, !deleted)
	}
	return nil
}
