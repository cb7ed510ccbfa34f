package actors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/flow"
)

// batchEnd is where a split's part of a batch ends.
type batchEnd struct {
	until flow.Position
	final bool // the split ends there for good
}

// batchEnds holds the ends of splits by their ids.
type batchEnds map[string]batchEnd

// batchPlan is what a job's record says of its batches, in the epoch record's meta.
type batchPlan struct {
	next    int64                // the number of the next batch to end
	planned bool                 // ends holds its ends: it was planned, and perhaps begun
	ends    map[string]batchEnds // by source
}

const batchPlanVersion = 1

// errBatchPlan is what a record says that this build does not understand.
var errBatchPlan = errors.New("what the epoch record says of batches is damaged, or of a later version")

// encode is the meta of an epoch record: a version, the number, and by source and split where the planned batch ends.
func (p *batchPlan) encode() []byte {
	b := binary.AppendUvarint(nil, batchPlanVersion)
	b = binary.AppendUvarint(b, uint64(p.next))
	if !p.planned {
		return append(b, 0)
	}
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(len(p.ends)))
	for _, id := range slices.Sorted(maps.Keys(p.ends)) {
		b = appendBytes(b, id)
		b = binary.AppendUvarint(b, uint64(len(p.ends[id])))
		for _, split := range slices.Sorted(maps.Keys(p.ends[id])) {
			e, final := p.ends[id][split], byte(0)
			if e.final {
				final = 1
			}
			b = append(appendBytes(appendBytes(b, split), e.until), final)
		}
	}
	return b
}

func appendBytes[S ~string | ~[]byte](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeBatchPlan reads the meta of an epoch record. A record without any is of before the first batch.
func decodeBatchPlan(b []byte) (p batchPlan, err error) {
	if len(b) == 0 {
		return p, nil
	}
	r := planReader{rest: b}
	version, next, planned := r.number(), r.number(), r.number()
	if version != batchPlanVersion || planned > 1 || int64(next) < 0 {
		return p, errBatchPlan
	}
	p.next, p.planned = int64(next), planned == 1
	if p.planned {
		p.ends = map[string]batchEnds{}
		for n := r.number(); n > 0 && !r.bad; n-- {
			source, ends := string(r.bytes()), batchEnds{}
			for m := r.number(); m > 0 && !r.bad; m-- {
				split, until, final := string(r.bytes()), r.bytes(), r.number()
				ends[split] = batchEnd{until: slices.Clone(until), final: final == 1}
			}
			p.ends[source] = ends
		}
	}
	if r.bad || len(r.rest) > 0 {
		return batchPlan{}, fmt.Errorf("%w: %d bytes left", errBatchPlan, len(r.rest))
	}
	return p, nil
}

// planReader reads what the append functions wrote. After the first error it gives zeros.
type planReader struct {
	rest []byte
	bad  bool
}

func (r *planReader) number() uint64 {
	n, w := binary.Uvarint(r.rest)
	if w <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[w:]
	return n
}

func (r *planReader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
