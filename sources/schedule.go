package sources

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/millrace-io/millrace/flow"
)

const nsPerSecond = 1_000_000_000

// schedule is where a generator's split stands: its next index and when each index is due. It is the split's position.
// The stride is in it, so that the indexes stay without a gap when the configuration changes.
type schedule struct {
	startNS   int64 // when index 0 is, or would have been, due
	perSecond int64 // over all splits; 0 = unlimited
	stride    int64 // number of splits
	next      int64

	// next = seconds*perSecond + rest, and the same for stride; kept so that a record costs one division, not three.
	seconds, rest             int64
	strideSeconds, strideRest int64
}

func (s *schedule) append(dst flow.Position) flow.Position {
	dst = binary.AppendVarint(dst, s.startNS)
	dst = binary.AppendVarint(dst, s.perSecond)
	dst = binary.AppendVarint(dst, s.stride)
	return binary.AppendVarint(dst, s.next)
}

func scheduleAt(p flow.Position) (schedule, error) {
	f := fields{rest: p}
	s := schedule{startNS: f.int(), perSecond: f.int(), stride: f.int(), next: f.int()}
	if err := f.end("generator", p); err != nil {
		return s, err
	}
	if s.perSecond < 0 || s.perSecond > nsPerSecond || s.stride <= 0 || s.next < 0 {
		return s, fmt.Errorf("position %x is damaged: rate %d/s, %d splits, next %d", []byte(p), s.perSecond, s.stride, s.next)
	}
	s.split()
	return s, nil
}

// split computes the derived fields.
func (s *schedule) split() {
	if s.perSecond > 0 {
		s.seconds, s.rest = s.next/s.perSecond, s.next%s.perSecond
		s.strideSeconds, s.strideRest = s.stride/s.perSecond, s.stride%s.perSecond
	}
}

// setRate goes on at another rate from the time that the next index is due.
func (s *schedule) setRate(perSecond int64) {
	if perSecond == s.perSecond {
		return
	}
	due := time.Now().UnixNano()
	if s.perSecond > 0 {
		due = s.dueNS()
	}
	s.perSecond = perSecond
	s.startNS = 0
	s.split()
	if perSecond > 0 {
		s.startNS = due - s.dueNS()
	}
}

// dueNS is when the next index is due.
func (s *schedule) dueNS() int64 {
	return s.startNS + s.seconds*nsPerSecond + s.rest*nsPerSecond/s.perSecond
}

// lastDue is the highest index due at nowNS, of any split; -1 when there is none.
func (s *schedule) lastDue(nowNS int64) int64 {
	if nowNS < s.startNS {
		return -1
	}
	hi, lo := bits.Mul64(uint64(nowNS-s.startNS)+1, uint64(s.perSecond))
	lo, borrow := bits.Sub64(lo, 1, 0)
	hi -= borrow
	if hi >= nsPerSecond {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, nsPerSecond)
	return int64(min(q, math.MaxInt64))
}

func (s *schedule) advance() {
	s.next += s.stride
	s.seconds += s.strideSeconds
	if s.rest += s.strideRest; s.rest >= s.perSecond {
		s.rest -= s.perSecond
		s.seconds++
	}
}
