package operators

import (
	"encoding/binary"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// BatchGate holds the records of a batch, in order and with their kinds, and emits them at its end. It runs as one task: a batch
// has one reader.
type BatchGate[T any] struct {
	*heldBatch
	rows *heldRow[T]
	next func(T)
}

// heldBatch is the records of a batch.
type heldBatch struct {
	env     *Env
	records *state.Table[string, heldRecord] // by their number in the batch, from 0
	counts  *state.Table[string, batchCount] // one entry
	done    int64                            // records of the batch that Resume has emitted
}

// batchCount says how many records are held.
type batchCount struct{ Records int64 }

type heldRecord struct {
	TimeNS int64
	Hash   uint64
	Kind   uint32
	Row    []byte
}

// NewBatchGate registers the operator with e and returns its step.
func NewBatchGate[T any](e *Env, id string, next func(T)) (func(T), error) {
	rows, err := newHeldRow[T](id)
	if err != nil {
		return nil, err
	}
	held, err := newHeldBatch(e, id)
	if err != nil {
		return nil, err
	}
	g := &BatchGate[T]{held, rows, next}
	e.AddTriggered(g)
	return g.take, nil
}

func newHeldBatch(e *Env, id string) (*heldBatch, error) {
	records, err := state.NewTable[string, heldRecord](e.Store, id, "records-of-batch")
	if err != nil {
		return nil, err
	}
	counts, err := state.NewTable[string, batchCount](e.Store, id, "batch")
	if err != nil {
		return nil, err
	}
	return &heldBatch{env: e, records: records, counts: counts}, nil
}

// numberKey is the hash and the key of record n of a batch.
func numberKey(n int64) (uint64, string) {
	key := string(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return hashString(key), key
}

func (g *BatchGate[T]) take(v T) { g.hold(g.rows.encode(v)) }

func (h *heldBatch) hold(row []byte) {
	b := h.counts.At(hashString(only), only)
	*h.records.At(numberKey(b.Records)) = heldRecord{h.env.TimeNS, h.env.Hash, uint32(h.env.Kind), row}
	b.Records++
}

// Resume implements Triggered.
func (g *BatchGate[T]) Resume(n int) (more bool) {
	return g.emit(n, func(row []byte) { g.next(g.rows.decode(row)) })
}

// emit emits and forgets n records. What the writer makes of them belongs to the epoch that follows.
func (h *heldBatch) emit(n int, next func(row []byte)) (more bool) {
	b, ok := h.counts.Get(hashString(only), only)
	if !ok {
		return false
	}
	e, all := h.env, b.Records
	for end := min(h.done+int64(n), all); h.done < end; h.done++ {
		hash, key := numberKey(h.done)
		r, ok := h.records.Get(hash, key)
		if !ok {
			panic("a record of the batch is not held")
		}
		e.TimeNS, e.Hash, e.Kind = r.TimeNS, r.Hash, flow.Kind(r.Kind)
		next(r.Row)
		h.records.Delete(hash, key)
	}
	e.Kind = flow.Insert
	if h.done < all {
		return true
	}
	h.counts.Delete(hashString(only), only)
	h.done = 0
	return false
}
