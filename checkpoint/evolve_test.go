package checkpoint_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/invariants"
)

// versioned is options under version n of the schema of state count/n. A rewrite marks the value with the step it takes, so
// that a value says which versions it has passed through.
func versioned(s checkpoint.Store, n int) checkpoint.Options {
	o := options(s)
	o.Plan.Schemas = slices.Clone(testPlan.Schemas)
	o.Plan.Schemas[0].Value = fmt.Sprintf(`"v%d"`, n)
	o.Evolve = func(was, is delta.Schema) (checkpoint.Rewrite, error) {
		if is != o.Plan.Schemas[0] || was.Operator != is.Operator || was.State != is.State {
			return nil, fmt.Errorf("evolve %v to %v", was, is)
		}
		if was.Value == `"refused"` || is.Value == `"v99"` {
			return nil, errors.New(`operator "count": state "n": field "F" was written as a and is now b`)
		}
		return func(dst, value []byte) ([]byte, error) {
			if string(value) == "bad" {
				return nil, errors.New("field F: broken")
			}
			return fmt.Appendf(dst, "%s>%s", value, is.Value), nil
		}, nil
	}
	return o
}

func (m model) evolve(n int) {
	for k, v := range m {
		if strings.HasPrefix(k, "count/n/") {
			m[k] = fmt.Sprintf(`%s>"v%d"`, v, n)
		}
	}
}

// Values pass through every version, once each, whatever was folded, crashed and deleted meanwhile.
func TestEvolvedEpochs(t *testing.T) {
	for seed := range invariants.Sized[uint64](8, 3) {
		r := rand.New(rand.NewPCG(seed, 7))
		s, want, e, version := newMemStore(), model{}, flow.Epoch(0), 1
		l := begin(t, versioned(s, version))
		for range 12 {
			for range r.IntN(8) {
				e++
				blocks := change(r, r.IntN(80), 60)
				complete(t, l, e, blocks)
				want.add(t, blocks)
				if err := l.Fold(t.Context()); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			if version++; e > 0 {
				want.evolve(version)
			}
			for range 1 + r.IntN(3) { // the new version crashes before its first epoch, some times
				l = begin(t, versioned(s, version))
				equal(t, fmt.Sprintf("seed %d, version %d, epoch %d", seed, version, e), restore(t, l), want)
			}
			if _, err := l.Begin(t.Context()); err != nil { // its first attempt fails
				t.Fatalf("seed %d: %v", seed, err)
			}
			equal(t, fmt.Sprintf("seed %d, version %d again", seed, version), restore(t, l), want)
			e++ // an epoch, so that the lineage knows the version
			complete(t, l, e, nil)
			equal(t, fmt.Sprintf("seed %d, version %d, epoch %d, recorded", seed, version, e), restore(t, l), want)
			equal(t, fmt.Sprintf("seed %d, version %d, opened again", seed, version), restore(t, begin(t, versioned(s.clone(), version))), want)
		}
		if runs := l.Stats().Runs; runs > 2 {
			t.Errorf("seed %d: %d runs behind a rewrite, want one", seed, runs)
		}
	}
}

// Until the first epoch of the new version is recorded, the old one can come back.
func TestOldVersionComesBackBeforeTheFirstEpoch(t *testing.T) {
	s := newMemStore()
	complete(t, begin(t, versioned(s, 1)), 1, put("a", "1"))
	l := begin(t, versioned(s, 2))
	equal(t, "new version", restore(t, l), model{"count/n/1/a": `1>"v2"`})
	old := versioned(s, 1)
	old.Evolve = nil
	equal(t, "old version", restore(t, begin(t, old)), model{"count/n/1/a": "1"})
}

// Nothing may be recorded behind an epoch of other schemas that was not rewritten.
func TestCompleteWantsTheRewriteFirst(t *testing.T) {
	s := newMemStore()
	complete(t, begin(t, versioned(s, 1)), 1, put("a", "1"))
	l := begin(t, versioned(s, 2))
	if err := l.Complete(t.Context(), 2, put("b", "2"), nil); err == nil || !strings.Contains(err.Error(), "epoch 1 has other schemas and was not restored") {
		t.Fatalf("error %v", err)
	}
	restore(t, l)
	complete(t, l, 2, put("b", "2"))
	equal(t, "after it", restore(t, begin(t, versioned(s, 2))), model{"count/n/1/a": `1>"v2"`, "count/n/1/b": "2"})
}

func TestEvolutionErrors(t *testing.T) {
	s := newMemStore()
	complete(t, begin(t, versioned(s, 1)), 1, put("a", "bad"))
	if _, err := checkpoint.Open(t.Context(), versioned(s, 99)); !errors.Is(err, checkpoint.ErrPlan) ||
		!strings.Contains(err.Error(), `operator "count": state "n": field "F" was written as a and is now b`) {
		t.Errorf("refused change: %v", err)
	}
	l := begin(t, versioned(s, 2))
	err := l.Restore(t.Context(), func(delta.Block) error { t.Error("a block was handed over"); return nil })
	if err == nil || !strings.Contains(err.Error(), `operator "count", state "n", key group 1: entry 0: field F: broken`) {
		t.Errorf("value that cannot be rewritten: %v", err)
	}
	keyed := versioned(s, 1)
	keyed.Plan.Schemas[0].Key = `"long"`
	if _, err := checkpoint.Open(t.Context(), keyed); !errors.Is(err, checkpoint.ErrPlan) ||
		!strings.Contains(err.Error(), `operator "count": the key of state "n" was written as "string", the topology wants "long"; keep the type of the key`) {
		t.Errorf("other key: %v", err)
	}
}

// A state that is new begins empty; one that is gone is refused.
func TestNewAndRemovedStates(t *testing.T) {
	s := newMemStore()
	more, less := options(s), options(s)
	less.Plan.Schemas = testPlan.Schemas[1:]
	more.Plan.Schemas = append(slices.Clone(testPlan.Schemas), delta.Schema{Operator: "count", State: "extra", Key: `"string"`, Value: `"long"`})
	complete(t, begin(t, options(s)), 1, put("a", "1"))
	l := begin(t, more)
	equal(t, "with a new state", restore(t, l), model{"count/n/1/a": "1"})
	complete(t, l, 2, []delta.Block{{Operator: "count", State: "extra", Group: 1, Count: 1, Data: delta.AppendPut(nil, []byte("a"), []byte("2"))}})
	equal(t, "behind an epoch", restore(t, begin(t, more)), model{"count/n/1/a": "1", "count/extra/1/a": "2"})
	if _, err := checkpoint.Open(t.Context(), less); !errors.Is(err, checkpoint.ErrPlan) || !strings.Contains(err.Error(), `operator "count": the checkpoint has state "n", which the topology does not have`) {
		t.Errorf("without a state: %v", err)
	}
}

// A run of other schemas than its record says would be read as something else.
func TestRunOfOtherSchemasIsDamaged(t *testing.T) {
	s := newMemStore()
	odd := versioned(s, 1)
	l := begin(t, odd)
	schemas := odd.Plan.Schemas[:1:1]
	was := schemas[0]
	schemas[0].Value = `"other"`
	complete(t, l, 1, put("a", "1"))
	schemas[0] = was
	complete(t, l, 2, put("b", "1"))
	err := begin(t, versioned(s, 1)).Restore(t.Context(), func(delta.Block) error { return nil })
	if !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), `state "n" is of schemas "string" and "other", want "string" and "v1"`) {
		t.Errorf("error %v", err)
	}
}
