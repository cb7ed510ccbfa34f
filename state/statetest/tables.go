package statetest

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

type pair struct {
	A int32
	B uint16
}

type person struct {
	Name string
	Born int32
}

// inner owns memory that is changed in place.
type inner struct {
	Counts []int64
	Names  map[string]int64
	Last   string
}

func runTables(run func(name string, f func(e *env))) {
	number := func(v *int64, n int64) { *v += n }
	run("table of strings", func(e *env) {
		testTable(e, func(i int) string { return fmt.Sprint("key", i*i) }, number, ident)
	})
	run("table of strings on both sides of what stands in an entry", func(e *env) {
		testTable(e, func(i int) string { return fmt.Sprintf("%0*d", 12+i%8, i) }, number, ident)
	})
	run("table of numbers", func(e *env) {
		testTable(e, func(i int) int64 { return int64(i) * 1000003 }, number, ident)
	})
	run("table of plain structs", func(e *env) {
		testTable(e, func(i int) pair { return pair{int32(-i), uint16(i % 7)} }, number, ident)
	})
	run("table of structs with strings", func(e *env) {
		testTable(e, func(i int) person { return person{fmt.Sprint(i / 3), int32(i % 3)} }, number, ident)
	})
	run("table of values that own memory", func(e *env) {
		testTable(e, func(i int) string { return fmt.Sprint(i) }, change, clone)
	})
	run("numbered table of strings", func(e *env) {
		testMade(e, numbered[string, int64](e, func(i int) string { return fmt.Sprint("key", i*i%7919) }), number, ident)
	})
	run("numbered table of numbers", func(e *env) {
		testMade(e, numbered[int64, int64](e, func(i int) int64 { return int64(i % 20) }), number, ident)
	})
	run("numbered table of structs with strings", func(e *env) {
		testMade(e, numbered[person, inner](e, func(i int) person { return person{fmt.Sprint(i / 3), int32(i % 3)} }), change, clone)
	})
}

// maker makes a kind of table, its keys, and their hashes.
type maker[K comparable, V any] struct {
	key  func(i int) K
	hash func(K) uint64
	open func(s *state.Store, operator, name string) (*state.Table[K, V], error)
}

// numbers are numbers of every length, at both ends.
var numbers = []int64{0, 1, -1, 127, -300, 1 << 20, -1 << 33, math.MaxInt64, math.MinInt64}

func numbered[K comparable, V any](e *env, key func(i int) K) maker[state.Numbered[K], V] {
	keys, err := codec.KeyOf[K]()
	e.must(err)
	return maker[state.Numbered[K], V]{
		key: func(i int) state.Numbered[K] {
			return state.Numbered[K]{Key: key(i / len(numbers)), Number: numbers[i%len(numbers)]}
		},
		hash: func(k state.Numbered[K]) uint64 { return k.Hash(keys.Hash(k.Key)) },
		open: state.NewNumbered[K, V],
	}
}

func ident(v int64) int64 { return v }

func change(v *inner, n int64) {
	if len(v.Counts) < 5 {
		v.Counts = append(v.Counts, n)
	}
	v.Counts[int(n)%len(v.Counts)] += n
	if v.Names == nil {
		v.Names = map[string]int64{}
	}
	v.Names[fmt.Sprint(n%4)] += n
	v.Last = fmt.Sprint("was ", n)
}

func clone(v inner) inner {
	return inner{slices.Clone(v.Counts), maps.Clone(v.Names), v.Last}
}

func testTable[K comparable, V any](e *env, key func(i int) K, change func(v *V, n int64), clone func(V) V) {
	testMade(e, simple[K, V](e, key), change, clone)
}

func simple[K comparable, V any](e *env, key func(i int) K) maker[K, V] {
	keys, err := codec.KeyOf[K]()
	e.must(err)
	return maker[K, V]{key, keys.Hash, state.NewTable[K, V]}
}

// testMade does random things to a table and to a map, and compares them and what comes back from snapshots.
func testMade[K comparable, V any](e *env, m maker[K, V], change func(v *V, n int64), clone func(V) V) {
	s := e.whole()
	table, err := m.open(s, "op", "table")
	e.must(err)

	model, cut, frozen := map[K]V{}, map[K]V(nil), false
	copyModel := func() map[K]V {
		c := make(map[K]V, len(model))
		for k, v := range model {
			c[k] = clone(v)
		}
		return c
	}
	var h history
	many := 10 + e.rnd.IntN(500)
	for range actions(6000) {
		k := m.key(e.rnd.IntN(many))
		hash := m.hash(k)
		want, exists := model[k]
		switch e.rnd.IntN(11) {
		case 10:
			v, ok := table.Edit(hash, k)
			if ok != exists || ok && !reflect.DeepEqual(*v, want) {
				e.fatalf("Edit(%v) = %v, %v; want %v, %v", k, v, ok, want, exists)
			}
			if ok {
				change(v, e.rnd.Int64N(100))
				model[k] = clone(*v)
			}
		case 0, 1, 2, 3:
			v, fresh := table.AtNew(hash, k)
			if fresh == exists || !reflect.DeepEqual(*v, want) {
				e.fatalf("AtNew(%v) = %v, fresh %v; want %v, %v", k, *v, fresh, want, !exists)
			}
			n := e.rnd.Int64N(100)
			change(v, n)
			model[k] = clone(*v)
		case 4, 5, 6:
			v, ok := table.Get(hash, k)
			if ok != exists || ok && !reflect.DeepEqual(*v, want) {
				e.fatalf("Get(%v) = %v, %v; want %v, %v", k, v, ok, want, exists)
			}
		case 7:
			if ok := table.Delete(hash, k); ok != exists {
				e.fatalf("Delete(%v) = %v, want %v", k, ok, exists)
			}
			delete(model, k)
		default:
			if e.rnd.IntN(3) > 0 {
				continue
			}
			h.snap(e, s, &frozen, func() { cut = copyModel() }, func() {
				if e.rnd.IntN(4) == 0 {
					checkRestored(e, &h, m, cut)
				}
			})
		}
		if table.Len() != len(model) || s.Entries() != len(model) {
			e.fatalf("Len() = %d, Entries() = %d; want %d", table.Len(), s.Entries(), len(model))
		}
	}
	checkScan(e, "live", map[K]V{}, model, table)
}

// checkRestored restores the history into stores of another parallelism and compares all that they hold with the cut.
func checkRestored[K comparable, V any](e *env, h *history, m maker[K, V], cut map[K]V) {
	var tables []*state.Table[K, V]
	stores := h.restore(e, func(s *state.Store) {
		t, err := m.open(s, "op", "table")
		e.must(err)
		tables = append(tables, t)
	})
	got := map[K]V{}
	for i, t := range tables {
		mine := map[K]V{}
		for k, v := range cut {
			if flow.RangeOf(i, keyGroups, len(stores)).Contains(flow.GroupOf(m.hash(k), keyGroups)) {
				mine[k] = v
			}
		}
		if t.Len() != len(mine) {
			e.fatalf("restored table %d of %d: Len() = %d, want %d", i, len(tables), t.Len(), len(mine))
		}
		checkScan(e, "restored", got, mine, t)
		stores[i].Freeze()
		if done := stores[i].Step(1); !done || len(stores[i].Take()) > 0 {
			e.fatalf("restored table %d of %d has changes", i, len(tables))
		}
	}
	if len(got) != len(cut) {
		e.fatalf("restored %d entries, want %d", len(got), len(cut))
	}
}

// checkScan adds a table's entries to got and compares them with want.
func checkScan[K comparable, V any](e *env, what string, got, want map[K]V, t *state.Table[K, V]) {
	e.t.Helper()
	var c state.Cursor
	for more, n := true, 0; more; n++ {
		more = t.Scan(&c, 1+e.rnd.IntN(50), func(k K, v *V) {
			if _, twice := got[k]; twice {
				e.fatalf("%s: %v seen twice", what, k)
			}
			if w, ok := want[k]; !ok || !reflect.DeepEqual(*v, w) {
				e.fatalf("%s: %v is %v, want %v, %v", what, k, *v, w, ok)
			}
			got[k] = *v
		})
		if n > 10000 {
			e.fatalf("%s: scan does not end", what)
		}
	}
	for k := range want {
		if _, ok := got[k]; !ok {
			e.fatalf("%s: %v is missing", what, k)
		}
	}
}
