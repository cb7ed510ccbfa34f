package operators

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/state"
)

// Gates stand before every sink of every result, and which of them a job wants is known when it starts: what they hold is
// written as bytes, so that their tables are compiled once and not once for each type of rows that could be written.

// heldRow says how rows are written: behind the hash of their schema, since the tables know nothing of it.
type heldRow[R any] struct {
	id       string
	encoding *codec.Encoding[R]
	schema   uint64
	buf      []byte
}

func newHeldRow[R any](id string) (*heldRow[R], error) {
	e, err := codec.Derive[R]()
	if err != nil {
		return nil, err
	}
	return &heldRow[R]{id: id, encoding: e, schema: e.SchemaHash()}, nil
}

// encode gives bytes of their own: tables keep them.
func (h *heldRow[R]) encode(r R) []byte {
	h.buf = binary.BigEndian.AppendUint64(h.buf[:0], h.schema)
	h.buf = h.encoding.Append(h.buf, &r)
	return append([]byte(nil), h.buf...)
}

func (h *heldRow[R]) decode(data []byte) (r R) {
	if len(data) < 8 || binary.BigEndian.Uint64(data) != h.schema {
		panic(state.Failure{Err: fmt.Errorf("operator %q: rows held for its output are of another type than the job's; go on with the version of the job that wrote them, or under another operator id", h.id)})
	}
	if _, err := h.encoding.Decode(data[8:], &r); err != nil {
		panic(state.Failure{Err: fmt.Errorf("operator %q: row held for its output: %w", h.id, err)})
	}
	return r
}

// gatedRows is how a gate that holds rows under their keys takes and gives them.
type gatedRows[RK comparable, R any] struct {
	row  func(R) RK
	key  *RowKey[RK]
	rows *heldRow[R]
	next func(R)
}

func newGatedRows[RK comparable, R any](id string, row func(R) RK, next func(R)) (g gatedRows[RK, R], err error) {
	key, err := NewRowKey[RK]()
	if err != nil {
		return g, err
	}
	rows, err := newHeldRow[R](id)
	return gatedRows[RK, R]{row, key, rows, next}, err
}

// held is a row's key, and the row as it is held.
func (g *gatedRows[RK, R]) held(r R) (key string, row []byte) {
	return g.key.of(g.row(r)), g.rows.encode(r)
}

// emit emits a row that was held.
func (g *gatedRows[RK, R]) emit(row []byte) { g.next(g.rows.decode(row)) }

// hashString is the hash of a string as a key.
var hashString = func() func(string) uint64 {
	key, err := codec.KeyOf[string]()
	if err != nil {
		panic(err)
	}
	return key.Hash
}()

// RowKey gives rows the key under which gates hold them: the canonical bytes of what identifies a row.
type RowKey[RK comparable] struct {
	key *codec.Key[RK]
	buf []byte
}

// NewRowKey is an error when RK cannot be a key. It belongs to one goroutine.
func NewRowKey[RK comparable]() (*RowKey[RK], error) {
	key, err := codec.KeyOf[RK]()
	if err != nil {
		return nil, fmt.Errorf("row: %w", err)
	}
	return &RowKey[RK]{key: key}, nil
}

// Schema is that of RK.
func (r *RowKey[RK]) Schema() string { return r.key.Schema() }

// Hash decides which task's gate holds a row.
func (r *RowKey[RK]) Hash(k RK) uint64 { return hashString(r.of(k)) }

func (r *RowKey[RK]) of(k RK) string {
	r.buf = r.key.Append(r.buf[:0], k)
	return string(r.buf)
}
