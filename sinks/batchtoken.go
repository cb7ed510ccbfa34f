package sinks

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
)

// batchToken writes batches as they stand in an epoch, and reads them, maybe in another build of the job.
type batchToken[T any] struct {
	encoding *codec.Encoding[storedBatch[T]]
	schema   uint64
}

type storedBatch[T any] struct {
	Batch int64
	Rows  []storedRow[T]
}

type storedRow[T any] struct {
	Kind   uint32
	TimeNS int64
	Value  T
}

func newBatchToken[T any]() (*batchToken[T], error) {
	e, err := codec.Derive[storedBatch[T]]()
	if err != nil {
		return nil, fmt.Errorf("rows are kept until their epoch is complete: %w", err)
	}
	return &batchToken[T]{e, e.SchemaHash()}, nil
}

// schemaBytes is the hash of the schema, in front of each token.
const schemaBytes = 8

func (t *batchToken[T]) encode(batch int64, rows []Row[T]) []byte {
	b := storedBatch[T]{batch, make([]storedRow[T], len(rows))}
	for i, r := range rows {
		b.Rows[i] = storedRow[T]{uint32(r.Kind), r.TimeNS, r.Value}
	}
	return t.encoding.Append(binary.BigEndian.AppendUint64(nil, t.schema), &b)
}

var errOtherRows = errors.New("its rows are of another type than the job's; go on with the version of the job that wrote them until it has been stopped")

func (t *batchToken[T]) decode(token []byte) (batch int64, rows []Row[T], err error) {
	if len(token) < schemaBytes || binary.BigEndian.Uint64(token) != t.schema {
		return 0, nil, errOtherRows
	}
	var b storedBatch[T]
	rest, err := t.encoding.Decode(token[schemaBytes:], &b)
	if err == nil && len(rest) > 0 {
		err = codec.ErrDamaged
	}
	if err != nil {
		return 0, nil, err
	}
	for _, r := range b.Rows {
		rows = append(rows, Row[T]{flow.Kind(r.Kind), r.TimeNS, r.Value})
	}
	return b.Batch, rows, nil
}
