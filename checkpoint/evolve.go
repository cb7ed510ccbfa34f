package checkpoint

import (
	"context"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/internal/delta"
)

// Rewrite appends to dst what a value written under an older schema is under the topology's.
type Rewrite = func(dst, value []byte) ([]byte, error)

// evolution brings the epoch that a log begins with to the schemas of the topology, before anything is restored from it or
// recorded behind it. So at any time all runs of a log are of the topology's schemas, and a value passes through every
// version it has seen: what version 2 dropped does not come back in version 3.
type evolution struct {
	slot     uint64                // of the epoch's record
	schemas  []delta.Schema        // that it was written under
	rewrites map[stateName]Rewrite // of the states whose values change
	done     bool                  // Log.runs are of the new schemas
}

type stateName struct{ operator, state string }

// pending says whether r is the epoch that the log began with and that epoch's values change. The caller holds mu.
func (l *Log) pending(r *record) bool {
	return l.evolution != nil && r != nil && r.slot == l.evolution.slot
}

// evolve writes the newest epoch's runs anew as one run of the new schemas, once, and gives it. The next epoch's record names
// it; a crash before leaves the old ones in force, and the next start does the same again.
func (l *Log) evolve(ctx context.Context) ([]run, error) {
	l.folding.Lock()
	defer l.folding.Unlock()
	l.mu.Lock()
	inputs, done := slices.Clone(l.runs), l.evolution.done
	l.mu.Unlock()
	if done {
		return inputs, nil
	}
	var rewritten []run
	if len(inputs) > 0 {
		r, err := l.merge(ctx, l.own(), inputs, true, l.evolution)
		if err != nil {
			return nil, fmt.Errorf("rewrite under the new schemas: %w", err)
		}
		rewritten = []run{r}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(inputs...)
	l.runs, l.evolution.done = rewritten, true
	return rewritten, nil
}

// schemasOf are those that the runs of a merge have.
func (l *Log) schemasOf(e *evolution) []delta.Schema {
	if e == nil {
		return l.o.Plan.Schemas
	}
	return e.schemas
}

// rewritesFor puts the topology's schemas into the table of a merged run and gives the rewrites in its order; none without
// an evolution.
func (e *evolution) rewritesFor(table, now []delta.Schema) []Rewrite {
	rewrites := make([]Rewrite, len(table))
	for i, s := range table {
		if e == nil {
			continue
		}
		if rewrites[i] = e.rewrites[stateName{s.Operator, s.State}]; rewrites[i] != nil {
			table[i], _ = findSchema(now, s.Operator, s.State)
		}
	}
	return rewrites
}

// rewriteEntries is data with all values rewritten. There are no deletions in it.
func rewriteEntries(dst, data []byte, rewrite Rewrite) ([]byte, error) {
	var value []byte
	for n := 0; len(data) > 0; n++ {
		key, old, _, rest, err := delta.Next(data)
		if err == nil {
			value, err = rewrite(value[:0], old)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", n, err)
		}
		dst = delta.AppendPut(dst, key, value)
		data = rest
	}
	return dst, nil
}

// checkSchemas refuses a run whose schemas are not those its reader expects: its bytes would be taken for something else.
func checkSchemas(has, want []delta.Schema) error {
	for _, s := range has {
		if w, ok := findSchema(want, s.Operator, s.State); ok && w != s {
			return fmt.Errorf("%w: operator %q, state %q is of schemas %s and %s, want %s and %s", ErrDamaged, s.Operator, s.State, s.Key, s.Value, w.Key, w.Value)
		}
	}
	return nil
}
