package checkpoint_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testGroups = 8

var testPlan = checkpoint.Plan{
	Hash:      "p1",
	Operators: []string{"count", "lines", "out"},
	Schemas: []delta.Schema{
		{Operator: "count", State: "n", Key: `"string"`, Value: `"long"`},
		{Operator: "count", State: "seen", Key: `"string"`, Value: `"boolean"`},
		{Operator: "lines", State: "positions", Key: `"string"`, Value: `"bytes"`},
	},
}

func options(s checkpoint.Store) checkpoint.Options {
	return checkpoint.Options{Store: s, Job: "wordcount", Plan: testPlan, KeyGroups: testGroups, FoldRuns: 3}
}

// files makes every segment a file, however small.
func files(o checkpoint.Options) checkpoint.Options {
	o.InlineBytes = -1
	return o
}

// anyBound draws which segments are inline: none, all, or the smaller ones.
func anyBound(r *rand.Rand, o checkpoint.Options) checkpoint.Options {
	o.InlineBytes = []int64{-1, 0, 300, 1000}[r.IntN(4)]
	return o
}

// model is the state as a Go map: "operator/state/group/key" to value.
type model map[string]string

func id(b delta.Block, key []byte) string {
	return fmt.Sprintf("%s/%s/%d/%s", b.Operator, b.State, b.Group, key)
}

// apply does to the model what restoring a block does to the state.
func (m model) apply(b delta.Block) error {
	n := 0
	for rest := b.Data; len(rest) > 0; n++ {
		key, value, deleted, after, err := delta.Next(rest)
		if err != nil {
			return err
		}
		if rest = after; deleted {
			delete(m, id(b, key))
		} else {
			m[id(b, key)] = string(value)
		}
	}
	if n != b.Count {
		return fmt.Errorf("%d entries, block says %d", n, b.Count)
	}
	return nil
}

// change makes random changes, as blocks in random order.
func change(r *rand.Rand, entries, keys int) []delta.Block {
	blocks := map[string]*delta.Block{}
	for range entries {
		s := testPlan.Schemas[r.IntN(len(testPlan.Schemas))]
		key := fmt.Appendf(nil, "key-%d", r.IntN(keys))
		b := delta.Block{Operator: s.Operator, State: s.State, Group: flow.KeyGroup(len(key)+int(key[len(key)-1])) % testGroups}
		at := blocks[id(b, nil)]
		if at == nil {
			at = &b
			blocks[id(b, nil)] = at
		}
		if at.Count++; r.IntN(4) == 0 {
			at.Data = delta.AppendDelete(at.Data, key)
		} else {
			value := fmt.Appendf(make([]byte, r.IntN(200)), "%d", r.Uint64())
			at.Data = delta.AppendPut(at.Data, key, value)
		}
	}
	out := make([]delta.Block, 0, len(blocks))
	for _, k := range slices.Sorted(maps.Keys(blocks)) {
		out = append(out, *blocks[k])
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// restore reads the newest epoch into a model.
func restore(t testing.TB, l *checkpoint.Log) model {
	t.Helper()
	m := model{}
	if err := l.Restore(t.Context(), m.apply); err != nil {
		t.Fatalf("restore: %v", err)
	}
	return m
}

func begin(t testing.TB, o checkpoint.Options) *checkpoint.Log {
	t.Helper()
	l, err := checkpoint.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if _, err := l.Begin(t.Context()); err != nil {
		t.Fatalf("begin: %v", err)
	}
	return l
}

func equal(t testing.TB, what string, got, want model) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("%s: restored %d entries, want %d, or other values", what, len(got), len(want))
	}
}
