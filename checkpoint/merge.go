package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// input is one of the runs being merged.
type input struct {
	*runReader
	schemaOf []int // of the run's schema numbers: numbers in the merged table
	done     bool
}

// next goes to the next block, or is done.
func (in *input) next() error {
	err := in.runReader.next()
	if in.done = errors.Is(err, io.EOF); in.done {
		return nil
	}
	return err
}

// place orders what the current blocks of the inputs belong to.
type place struct {
	schema int
	group  flow.KeyGroup
}

func (in *input) place() place { return place{in.schemaOf[in.schema], in.group} }

func (p place) before(q place) bool {
	return p.schema < q.schema || p.schema == q.schema && p.group < q.group
}

// source is where the runs of a merge are.
type source struct {
	store   Store
	lineage string
	without []string // names of states that are left out
}

// own is the log's own runs.
func (l *Log) own() source { return source{store: l.o.Store, lineage: l.lineage} }

// merge writes one run that says the same as inputs, oldest first. Deletions go when the oldest run of all is among
// them: there is nothing left to delete. At any time it holds the entries of one key group of one state. With an evolution,
// which wants the oldest among them, values are written under the new schemas.
func (l *Log) merge(ctx context.Context, from source, runs []run, oldest bool, evolve *evolution) (merged run, err error) {
	inputs := make([]*input, 0, len(runs))
	defer func() {
		for _, in := range inputs {
			err = errors.Join(err, in.Close())
		}
	}()
	for _, r := range runs {
		rd, err := openRun(ctx, from.store, from.lineage, r)
		if err != nil {
			return run{}, err
		}
		inputs = append(inputs, &input{runReader: rd})
		if err := checkSchemas(rd.schemas, l.schemasOf(evolve)); err != nil {
			return run{}, r.explain(err)
		}
	}
	h := runHeader{lineage: l.lineage, first: runs[0].first, last: runs[len(runs)-1].last, schemas: unite(inputs)}
	rewrites := evolve.rewritesFor(h.schemas, l.o.Plan.Schemas)
	name := fmt.Sprintf("%s%d-%d-%s-%d", runPrefix, h.first, h.last, l.writer, l.files.Add(1))
	return createRun(ctx, l.o.Store, name, h, sizeOf(runs), func(w *runWriter) error {
		return mergeBlocks(ctx, inputs, newWinners(oldest), rewritingWriter{w, h.schemas, rewrites, from.without})
	})
}

// unite makes the table of all states of the inputs and the inputs' translations into it. Newer descriptions win.
func unite(inputs []*input) (table []delta.Schema) {
	for _, in := range slices.Backward(inputs) {
		for _, s := range in.schemas {
			if _, ok := findSchema(table, s.Operator, s.State); !ok {
				table = append(table, s)
			}
		}
	}
	slices.SortFunc(table, compareSchemas)
	for _, in := range inputs {
		for _, s := range in.schemas {
			at, _ := slices.BinarySearchFunc(table, s, compareSchemas)
			in.schemaOf = append(in.schemaOf, at)
		}
	}
	return table
}

// rewritingWriter writes the blocks of a merged run, rewritten where their state has a rewrite.
type rewritingWriter struct {
	*runWriter
	schemas  []delta.Schema
	rewrites []Rewrite
	without  []string
}

func (w rewritingWriter) block(at place, count int, data []byte) error {
	if slices.Contains(w.without, w.schemas[at.schema].State) {
		return nil
	}
	if rewrite := w.rewrites[at.schema]; rewrite != nil {
		var err error
		if data, err = rewriteEntries(make([]byte, 0, len(data)), data, rewrite); err != nil {
			s := w.schemas[at.schema]
			return fmt.Errorf("operator %q, state %q, key group %d: %w", s.Operator, s.State, at.group, err)
		}
	}
	return w.runWriter.block(at.schema, at.group, count, data)
}

func mergeBlocks(ctx context.Context, inputs []*input, ws *winners, w rewritingWriter) error {
	for _, in := range inputs {
		if err := in.next(); err != nil {
			return err
		}
	}
	for {
		at, ok := lowest(inputs)
		if !ok {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		ws.reset()
		for _, in := range inputs {
			for !in.done && in.place() == at {
				if err := ws.add(in.count, in.data); err != nil {
					return in.run.explain(err)
				}
				if err := in.next(); err != nil {
					return err
				}
			}
		}
		err := ws.emit(func(count int, data []byte) error { return w.block(at, count, data) })
		if err != nil {
			return err
		}
	}
}

func lowest(inputs []*input) (at place, ok bool) {
	for _, in := range inputs {
		if !in.done && (!ok || in.place().before(at)) {
			at, ok = in.place(), true
		}
	}
	return at, ok
}
