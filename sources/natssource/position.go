package natssource

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/millrace-io/millrace/flow"
)

// position is where a split is resumed. The stream's time of creation tells one that was deleted and created again, in which the
// sequence means another message.
type position struct {
	next    uint64 // sequence of the next message, or earliest
	end     uint64 // of a bounded source: the sequence to stop at; endNone otherwise
	created int64  // Unix nanoseconds
}

const (
	earliest      = uint64(0) // resolved when the split is opened
	endNone       = uint64(math.MaxUint64)
	positionBytes = 24
)

func (p position) append(dst flow.Position) flow.Position {
	dst = binary.BigEndian.AppendUint64(dst, p.next)
	dst = binary.BigEndian.AppendUint64(dst, p.end)
	return binary.BigEndian.AppendUint64(dst, uint64(p.created))
}

func positionAt(b flow.Position) (position, error) {
	if len(b) != positionBytes {
		return position{}, fmt.Errorf("position %x is damaged, or of another kind of source", []byte(b))
	}
	p := position{next: binary.BigEndian.Uint64(b), end: binary.BigEndian.Uint64(b[8:]), created: int64(binary.BigEndian.Uint64(b[16:]))}
	if p.next == endNone || p.end == 0 {
		return position{}, fmt.Errorf("position %x is damaged: next sequence %d, end %d", []byte(b), p.next, p.end)
	}
	return p, nil
}
