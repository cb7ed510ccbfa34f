package kafkasource

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/flow"
)

// position is where a partition is resumed. The topic's id tells a topic that was deleted and created again, in which
// the offset means another record.
type position struct {
	next  int64 // offset of the next record, or offsetEarliest
	end   int64 // of a bounded source: the offset to stop at; endNone otherwise
	topic [16]byte
}

const positionBytes = 32

func (p position) append(dst flow.Position) flow.Position {
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.next))
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.end))
	return append(dst, p.topic[:]...)
}

func positionAt(b flow.Position) (position, error) {
	if len(b) != positionBytes {
		return position{}, fmt.Errorf("position %x is damaged, or of another kind of source", []byte(b))
	}
	p := position{next: int64(binary.BigEndian.Uint64(b)), end: int64(binary.BigEndian.Uint64(b[8:]))}
	copy(p.topic[:], b[16:])
	if p.next < offsetEarliest || p.next == -1 || p.end < endNone {
		return position{}, fmt.Errorf("position %x is damaged: next offset %d, end %d", []byte(b), p.next, p.end)
	}
	return p, nil
}
