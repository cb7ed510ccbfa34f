package checkpoint

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// compareSchemas orders states by operator and name.
func compareSchemas(a, b delta.Schema) int {
	return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.State, b.State))
}

// compareBlocks orders blocks as they stand in a run; blocks of one state and key group are equal.
func compareBlocks(a, b delta.Block) int {
	return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.State, b.State), cmp.Compare(a.Group, b.Group))
}

// tableOf is the schema table for sorted blocks: their states, with what the plan knows of them.
func tableOf(sorted []delta.Block, known []delta.Schema) (table []delta.Schema) {
	for i, b := range sorted {
		if i == 0 || b.Operator != sorted[i-1].Operator || b.State != sorted[i-1].State {
			s, _ := findSchema(known, b.Operator, b.State)
			table = append(table, s)
		}
	}
	return table
}

// checkBlock walks the entries of a block: what could not be restored must not be made durable.
func checkBlock(b delta.Block, groups int) error {
	n := 0
	var err error
	for rest := b.Data; len(rest) > 0 && err == nil; n++ {
		_, _, _, rest, err = delta.Next(rest)
	}
	if err == nil && n != b.Count {
		err = fmt.Errorf("%d entries, the block says %d", n, b.Count)
	}
	if err == nil && int(b.Group) >= groups {
		err = fmt.Errorf("key group %d of %d", b.Group, groups)
	}
	if err != nil {
		return fmt.Errorf("operator %q, state %q, key group %d: %w", b.Operator, b.State, b.Group, err)
	}
	return nil
}

// blockBytes is about what a block takes in a run beside its entries.
const blockBytes = 16

// writeSegment writes the changes of one epoch: when they are few, as the bytes of an inline run, else as a file. It does not reorder the
// caller's blocks.
func (l *Log) writeSegment(ctx context.Context, e flow.Epoch, attempt flow.Attempt, blocks []delta.Block) (r run, inline []byte, err error) {
	sorted := make([]delta.Block, 0, len(blocks))
	size := int64(0)
	for _, b := range blocks {
		if err := checkBlock(b, l.keyGroups); err != nil {
			return run{}, nil, err
		}
		if b.Count > 0 {
			sorted = append(sorted, b)
			size += int64(len(b.Data)) + blockBytes
		}
	}
	slices.SortStableFunc(sorted, compareBlocks)
	h := runHeader{lineage: l.lineage, first: e, last: e, schemas: tableOf(sorted, l.o.Plan.Schemas)}
	write := segmentWriter(h, sorted)
	if size > l.o.InlineBytes {
		name := fmt.Sprintf("%s%d-a%d-%s-%d", runPrefix, e, attempt, l.writer, l.files.Add(1))
		r, err = createRun(ctx, l.o.Store, name, h, size, write)
		return r, nil, err
	}
	if err := checkSpace(l.o.Store, size); err != nil {
		return run{}, nil, fmt.Errorf("write %d bytes of changes: %w", size, err)
	}
	var b bytes.Buffer
	b.Grow(int(size) + 1<<10)
	r, err = writeRun(&b, h, size, write)
	return r, b.Bytes(), err
}

// segmentWriter writes sorted blocks.
func segmentWriter(h runHeader, sorted []delta.Block) func(*runWriter) error {
	return func(w *runWriter) error {
		schema := 0
		for _, b := range sorted {
			for h.schemas[schema].Operator != b.Operator || h.schemas[schema].State != b.State {
				schema++
			}
			if err := w.block(schema, b.Group, b.Count, b.Data); err != nil {
				return err
			}
		}
		return nil
	}
}
