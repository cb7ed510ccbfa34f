package statetest

import (
	"fmt"
	"strings"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/state"
)

// testCursor: what does not change during a scan is seen exactly once, whatever happens to the rest.
func testCursor(e *env) {
	keys, err := codec.KeyOf[string]()
	e.must(err)
	table, err := state.NewTable[string, int64](e.whole(), "op", "table")
	e.must(err)
	for i := range 400 {
		k := fmt.Sprint(i)
		*table.At(keys.Hash(k), k) = int64(i)
	}
	steady := func(i int) bool { return i%3 == 0 }
	seen := map[string]int{}
	var c state.Cursor
	for table.Scan(&c, 7, func(k string, v *int64) { seen[k]++ }) {
		for range 20 {
			i := e.rnd.IntN(500)
			k := fmt.Sprint(i)
			switch {
			case steady(i):
				table.Get(keys.Hash(k), k)
			case e.rnd.IntN(2) == 0:
				table.Delete(keys.Hash(k), k)
			default:
				*table.At(keys.Hash(k), k)++
			}
		}
	}
	for i := range 400 {
		if k := fmt.Sprint(i); steady(i) && seen[k] != 1 {
			e.fatalf("%s did not change and was seen %d times", k, seen[k])
		}
	}
}

// testLongKeys: keys of all lengths live and die together.
func testLongKeys(e *env) {
	keys, err := codec.KeyOf[string]()
	e.must(err)
	s := e.whole()
	table, err := state.NewTable[string, string](s, "op", "table")
	e.must(err)
	model := map[string]string{}
	for i := range 150 {
		k := strings.Repeat(fmt.Sprint("long", e.rnd.IntN(60)), []int{0, 1, 5, 3000, 20000}[e.rnd.IntN(5)])
		if i%3 == 0 {
			table.Delete(keys.Hash(k), k)
			delete(model, k)
			continue
		}
		*table.At(keys.Hash(k), k), model[k] = fmt.Sprint(i), fmt.Sprint(i)
	}
	checkScan(e, "live", map[string]string{}, model, table)
	s.Freeze()
	s.Step(1 << 30)
	checkRestored(e, &history{s.Take()}, simple[string, string](e, nil), model)
}
