package actors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/internal/delta"
)

// restoreChannels deals records that were on their way to the tasks there are.
func (d *Deployment) restoreChannels(all kept) error {
	for _, t := range d.Tasks {
		t.sortEdges()
	}
	for _, operator := range slices.Sorted(maps.Keys(all)) {
		for _, key := range slices.Sorted(maps.Keys(all[operator])) {
			if err := d.restoreChannel(operator, key, all[operator][key]); err != nil {
				return fmt.Errorf("records that were on their way to operator %q: %w", operator, err)
			}
		}
	}
	return nil
}

// restoreChannel deals a batch to the owners of its records. The task that it was on its way to, as far as there is one, removes it from the next
// checkpoint: no other writes these keys.
func (d *Deployment) restoreChannel(operator, key string, value []byte) error {
	task := int(binary.BigEndian.Uint32([]byte(key)))
	name, batch, err := edgeOf(value)
	if err != nil {
		return err
	}
	found := len(d.here()) < len(d.Tasks) // else the one that asks all processes looks at all edges
	for _, t := range d.Tasks {
		if task%t.Count == t.Index && slices.Contains(t.Operators, operator) {
			if t.channel.stale == nil {
				t.channel.stale = map[string][][]byte{}
			}
			t.channel.stale[operator] = append(t.channel.stale[operator], []byte(key))
		}
		for i := range t.channel.edges {
			e := &t.channel.edges[i]
			if !bytes.Equal(e.name(), name) {
				continue
			}
			if found = true; t.Away {
				continue
			}
			if err := e.Replay.Load(batch, func(hash uint64) bool { return e.Owner(hash, task) == t.Index }); err != nil {
				return err
			}
		}
	}
	if !found {
		return errors.New("they are of another type than the job's, or on another way through it; go on with the version of the job that wrote them until it has been stopped")
	}
	return nil
}

// edgeOf divides a recorded entry into the name of its edge and the batch.
func edgeOf(value []byte) (name, batch []byte, err error) {
	at := 8
	if len(value) < at {
		return nil, nil, delta.ErrDamaged
	}
	_, w := binary.Uvarint(value[at:])
	if w <= 0 {
		return nil, nil, delta.ErrDamaged
	}
	at += w
	n, w := binary.Uvarint(value[at:])
	if w <= 0 || n > uint64(len(value)-at-w) {
		return nil, nil, delta.ErrDamaged
	}
	at += w + int(n)
	return value[:at], value[at:], nil
}
