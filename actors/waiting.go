package actors

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/operators"
)

// WaitingState is the name under which inputs that an operator keeps while something outside is asked stand in a checkpoint.
const WaitingState = "waiting"

// waitingBlocks is the delta of the inputs kept: all there are, over those of the cut before. A key is the task's index and the
// input's place.
func (t *Task) waitingBlocks() (blocks []delta.Block) {
	i := 0
	for id, w := range t.Env.Waiting {
		if i == len(t.cutWaiting) {
			t.cutWaiting = append(t.cutWaiting, 0)
		}
		b := delta.Block{Operator: id, State: WaitingState}
		for _, key := range t.staleWaiting[id] {
			b.Data = delta.AppendDelete(b.Data, key)
			b.Count++
		}
		delete(t.staleWaiting, id)
		n := 0
		w.Save(func(value []byte) {
			b.Data = delta.AppendPut(b.Data, waitingKey(t.Index, n), value)
			n++
		})
		for old := n; old < t.cutWaiting[i]; old++ {
			b.Data = delta.AppendDelete(b.Data, waitingKey(t.Index, old))
			b.Count++
		}
		b.Count += n
		t.cutWaiting[i] = n
		if i++; b.Count > 0 {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// waitingKeyBytes is the length of a waitingKey.
const waitingKeyBytes = 4 + 4

func waitingKey(task, n int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(task)), uint32(n))
}

// kept is restored entries of a state that is no table, by operator and key.
type kept map[string]map[string][]byte

// take reads a block of entries whose keys have a length; later entries win.
func (k kept) take(b delta.Block, keyBytes int) error {
	if k[b.Operator] == nil {
		k[b.Operator] = map[string][]byte{}
	}
	for data := b.Data; len(data) > 0; {
		key, value, deleted, rest, err := delta.Next(data)
		if err == nil && len(key) != keyBytes {
			err = delta.ErrDamaged
		}
		if err != nil {
			return fmt.Errorf("operator %q, state %q: %w", b.Operator, b.State, err)
		}
		data = rest
		if deleted {
			delete(k[b.Operator], string(key))
			continue
		}
		k[b.Operator][string(key)] = append([]byte(nil), value...)
	}
	return nil
}

// restoreWaiting deals inputs that were kept to the tasks there are: to the one that had them, as far as there is one.
func (d *Deployment) restoreWaiting(k kept) error {
	for _, t := range d.here() {
		for id, w := range t.Env.Waiting {
			if err := t.load(id, w, k[id]); err != nil {
				return fmt.Errorf("operator %q: inputs kept: %w", id, err)
			}
		}
	}
	return nil
}

// load gives the task its share of an operator's inputs. Their keys are removed by its next cut: no other task writes them.
func (t *Task) load(id string, w operators.Waiting, of map[string][]byte) error {
	all := make([]string, 0, len(of))
	for key := range of {
		all = append(all, key)
	}
	slices.Sort(all)
	for _, key := range all {
		if int(binary.BigEndian.Uint32([]byte(key)))%t.Count != t.Index {
			continue
		}
		t.staleWaiting[id] = append(t.staleWaiting[id], []byte(key))
		if err := w.Load(of[key]); err != nil {
			return err
		}
	}
	return nil
}
