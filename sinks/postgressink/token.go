package postgressink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
)

// token is what a Prepare puts into the record of its epoch: the rows themselves, and behind which epoch they come.
type token struct {
	lineage  string // that prepared it: one that begins from a savepoint gets tokens of another
	attempt  flow.Attempt
	epoch    flow.Epoch
	task     int
	previous flow.Epoch // the task's last epoch with rows before this one, 0 for none
	count    int        // changes; 0: the token only says what the table must hold
	rows     []byte     // each a byte that says whether it deletes, then the row
}

const tokenVersion = 1

// castagnoli guards tokens: a change of one is an error, never another row.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rowCodec writes and reads the rows of tokens.
type rowCodec[T any] struct {
	enc    *codec.Encoding[T]
	schema uint32 // of the rows, shortened
}

func rowCodecOf[T any]() (rowCodec[T], error) {
	enc, err := codec.Derive[T]()
	if err != nil {
		return rowCodec[T]{}, err
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(enc.Schema()))
	return rowCodec[T]{enc, h.Sum32()}, nil
}

// append appends a change to rows.
func (c rowCodec[T]) append(rows []byte, row *T, deletes bool) []byte {
	kind := byte(0)
	if deletes {
		kind = 1
	}
	return c.enc.Append(append(rows, kind), row)
}

func (c rowCodec[T]) encode(t token) []byte {
	b := make([]byte, 0, len(t.rows)+len(t.lineage)+8*binary.MaxVarintLen64)
	b = append(b, tokenVersion)
	b = binary.LittleEndian.AppendUint32(b, c.schema)
	for _, n := range []uint64{uint64(t.attempt), uint64(t.epoch), uint64(t.task), uint64(t.previous), uint64(t.count)} {
		b = binary.AppendUvarint(b, n)
	}
	b = append(binary.AppendUvarint(b, uint64(len(t.lineage))), t.lineage...)
	b = append(b, t.rows...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var errDamaged = errors.New("what was prepared is damaged")

func (c rowCodec[T]) decode(b []byte) (t token, err error) {
	if len(b) < 1+4+6+4 {
		return t, fmt.Errorf("%w: %d bytes are too few", errDamaged, len(b))
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	switch {
	case crc32.Checksum(body, castagnoli) != sum:
		return t, fmt.Errorf("%w: the checksum of its %d bytes is wrong", errDamaged, len(b))
	case body[0] != tokenVersion:
		return t, fmt.Errorf("what was prepared has format %d, this build reads %d", body[0], tokenVersion)
	case binary.LittleEndian.Uint32(body[1:]) != c.schema:
		return t, errors.New("what was prepared has rows of another type: go on with the version that prepared it until the job has been stopped cleanly")
	}
	var n [6]uint64
	rest := body[5:]
	for i := range n {
		v, size := binary.Uvarint(rest)
		if size <= 0 || v > math.MaxInt64 {
			return t, fmt.Errorf("%w: number %d of its head", errDamaged, i+1)
		}
		n[i], rest = v, rest[size:]
	}
	if n[5] > uint64(len(rest)) || n[4] > uint64(len(rest))-n[5] {
		return t, fmt.Errorf("%w: a name of %d bytes and %d rows in %d bytes", errDamaged, n[5], n[4], len(rest))
	}
	return token{string(rest[:n[5]]), flow.Attempt(n[0]), flow.Epoch(n[1]), int(n[2]), flow.Epoch(n[3]), int(n[4]), rest[n[5]:]}, nil
}

// changes are the rows of a token.
func (c rowCodec[T]) changes(t token) ([]change[T], error) {
	all := make([]change[T], 0, min(t.count, 1024)) // a damaged count must not take memory
	rest := t.rows
	for i := range t.count {
		if len(rest) == 0 || rest[0] > 1 {
			return nil, fmt.Errorf("%w: row %d of %d", errDamaged, i+1, t.count)
		}
		all = append(all, change[T]{deletes: rest[0] == 1})
		var err error
		if rest, err = c.enc.Decode(rest[1:], &all[i].row); err != nil {
			return nil, fmt.Errorf("%w: row %d of %d: %w", errDamaged, i+1, t.count, err)
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the last row", errDamaged, len(rest))
	}
	return all, nil
}
