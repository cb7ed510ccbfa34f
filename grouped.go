package millrace

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/operators"
)

// Grouped is a changing result whose rows belong to groups. GroupBy makes no step: the aggregations behind it do. Each takes back
// what a row gave before it takes what the row gives now, so that several aggregations in a row stay exact. A group that has lost
// its last row is deleted; one that gets a row again begins anew.
type Grouped[K comparable, V any] struct {
	job *Job
	of  *step
	// enter enters the reading of the rows by a step of the aggregation's.
	enter func(st *step, into func(*taskBuild) func(operators.GroupChange[K, V]))
}

// GroupBy says which group each row belongs to. A row that changes may change its group too. f is pure: it is called with the
// value that a change replaces as well as with the new one, to find the group that loses the row.
//
// The rows must be of an aggregation that keeps them for ever, or of a processor that makes a table: one with a time to live
// forgets what a row gave, so nobody could take it back.
func (t Table[K, V]) GroupBy[K2 comparable](f func(K, V) K2) Grouped[K2, V] {
	r := result[Pair[K, V], K]{job: t.job, out: t.out, row: func(p Pair[K, V]) K { return p.Key }}
	if f == nil {
		return Grouped[K2, V]{t.job, t.out.step, nil}
	}
	return groupBy(r, func(p Pair[K, V]) K2 { return f(p.Key, p.Value) }, func(p Pair[K, V]) V { return p.Value })
}

// groupBy groups the rows of a changing result.
func groupBy[R any, RK, K comparable, V any](r result[R, RK], key func(R) K, value func(R) V) Grouped[K, V] {
	return Grouped[K, V]{r.job, r.out.step, func(st *step, into func(*taskBuild) func(operators.GroupChange[K, V])) {
		if o := r.out.step.origin(); o.expires {
			r.job.fault(fmt.Errorf("operator %q: aggregation over %q, which forgets rows after a time to live and does not take them back; use state.Forever there", st.ID, o.ID))
		}
		c, err := codec.KeyOf[K]()
		if err != nil {
			r.job.fault(fmt.Errorf("operator %q: key: %w", st.ID, err))
			return
		}
		st.asks, st.Rows = wantChanges|wantBefore, c.Schema()
		spread := func(env *operators.Env, o *mailbox.Out[R], owner []uint16) func(R) {
			mask := uint64(len(owner) - 1)
			return operators.Regroup(env, r.row, key, c.Hash, func(v R, h uint64) {
				o.AddKind(int(owner[h&mask]), v, env.TimeNS, h, env.Kind)
			})
		}
		read(r.out, st, plan.Hash, spread, func(tb *taskBuild) func(R) {
			return operators.Regrouped(tb.task.Env, r.row, key, value, into(tb))
		})
	}}
}

// grouped enters an aggregation of groups. Its step names no key: rows that are partitioned by a key of the same type are so by
// another one, and must not be taken for rows of the group.
func grouped[K comparable, V, A, O any](g Grouped[K, V], made, id string, isNil bool, f operators.GroupFold[V, A, O]) Table[K, O] {
	if isNil || g.enter == nil {
		g.job.fault(fmt.Errorf("operator %q: func is nil", id))
	}
	st := g.job.add(made, id, plan.Step{Kind: "group-" + strings.ToLower(made), Type: typeName[Pair[K, O]](), Keyed: true, Updates: true})
	st.nature = regrouped
	out := newPort[Pair[K, O]](st)
	if g.enter == nil {
		st.In = []plan.Input{{From: g.of.ID, Ship: plan.Hash}}
		return Table[K, O]{g.job, out}
	}
	g.enter(st, func(tb *taskBuild) func(operators.GroupChange[K, V]) {
		into, err := operators.Group(tb.task.Env, id, f, tb.before(id), out.sink(tb))
		return built(tb, id, into, err)
	})
	return Table[K, O]{g.job, out}
}

// Count counts the rows of each group.
func (g Grouped[K, V]) Count(id string) Table[K, int64] {
	return grouped(g, "Count", id, false, operators.GroupCount[V]())
}

// Sum adds f of the rows of each group. A sum of floats keeps the rounding errors of rows that have left until the group is empty.
func (g Grouped[K, V]) Sum[N Number](id string, f func(V) N) Table[K, N] {
	return grouped(g, "Sum", id, f == nil, operators.GroupSum(f))
}

// Avg is the mean of f of the rows of each group.
func (g Grouped[K, V]) Avg[N Number](id string, f func(V) N) Table[K, float64] {
	return grouped(g, "Avg", id, f == nil, operators.GroupAvg(f))
}

// Min is the least f of the rows of each group. Each group keeps all its different values, since any may become the least: a change
// costs in proportion to how many there are.
func (g Grouped[K, V]) Min[N cmp.Ordered](id string, f func(V) N) Table[K, N] {
	return grouped(g, "Min", id, f == nil, operators.GroupMin(f))
}

// Max is the greatest f of the rows of each group, kept like Min.
func (g Grouped[K, V]) Max[N cmp.Ordered](id string, f func(V) N) Table[K, N] {
	return grouped(g, "Max", id, f == nil, operators.GroupMax(f))
}

// Aggregate folds the rows of each group into an A that starts as its zero value. remove undoes what add did with the same value,
// whatever came between; both return the new accumulator and change nothing that the old one points to.
func (g Grouped[K, V]) Aggregate[A any](id string, add, remove func(A, V) A) Table[K, A] {
	return grouped(g, "Aggregate", id, add == nil || remove == nil, operators.GroupFold[V, A, A]{
		Add:    func(a *A, v V) { *a = add(*a, v) },
		Remove: func(a *A, v V) { *a = remove(*a, v) },
		Result: func(_ int64, a *A) A { return *a },
	})
}

// GroupBy says which group each pane belongs to, as Table.GroupBy does for rows. To keep windows apart, their time is part of the
// group. The groups follow what panes are at any time, and lose those that are taken back.
func (p Panes[K, V]) GroupBy[K2 comparable](f func(Pane[K, V]) K2) Grouped[K2, Pane[K, V]] {
	if f == nil {
		return Grouped[K2, Pane[K, V]]{p.job, p.out.step, nil}
	}
	r := result[Pane[K, V], operators.PaneRow[K]]{job: p.job, out: p.out, row: Pane[K, V].Row}
	return groupBy(r, f, func(v Pane[K, V]) Pane[K, V] { return v })
}
