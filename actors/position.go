package actors

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/planted"
)

// positions implements source.
func (h *Head[T]) positions() []delta.Block {
	b := delta.Block{Operator: h.id, State: SplitsState}
	for _, s := range h.splits {
		if s.changed {
			s.changed = false
			b.Data = delta.AppendPut(b.Data, []byte(s.split.ID), encodePosition(s.assigned))
			b.Count++
		}
	}
	if b.Count == 0 {
		return nil
	}
	return []delta.Block{b}
}

// What the first byte of a position says.
const (
	positionFinished  = 1 << iota // the split has ended
	positionWatermark             // eight bytes of watermark follow
)

// encodePosition is what stands behind a split's id in a checkpoint.
func encodePosition(a assigned) []byte {
	flags := byte(0)
	if a.finished {
		flags |= positionFinished
	}
	if !a.hasWatermark {
		return append([]byte{flags}, a.position...)
	}
	b := binary.BigEndian.AppendUint64([]byte{flags | positionWatermark}, uint64(a.watermarkNS))
	return append(b, a.position...)
}

func decodePosition(id string, value []byte) (assigned, error) {
	if len(value) == 0 || bits.Len8(value[0]) > 2 {
		return assigned{}, delta.ErrDamaged
	}
	a := assigned{split: flow.Split{ID: id}, finished: value[0]&positionFinished != 0}
	rest := value[1:]
	if value[0]&positionWatermark != 0 {
		if len(rest) < 8 {
			return assigned{}, delta.ErrDamaged
		}
		a.watermarkNS, a.hasWatermark, rest = int64(binary.BigEndian.Uint64(rest)), true, rest[8:]
	}
	a.position = append(flow.Position{}, rest...)
	return a, nil
}

// decodePositions reads a block of positions; later entries win.
func decodePositions(b delta.Block, into map[string]assigned) error {
	for data := b.Data; len(data) > 0; {
		key, value, deleted, rest, err := delta.Next(data)
		var a assigned
		if err == nil && !deleted {
			a, err = decodePosition(string(key), value)
		}
		if err != nil {
			return fmt.Errorf("positions of source %q: %w", b.Operator, err)
		}
		data = rest
		if deleted {
			delete(into, string(key))
			continue
		}
		if _, known := into[string(key)]; known && planted.On("first-position-wins") {
			continue
		}
		into[string(key)] = a
	}
	return nil
}
