package filesource

import (
	"math"
	"testing"
)

func FuzzPosition(f *testing.F) {
	p := position{newestNS: math.MinInt64}
	f.Add([]byte(p.append(nil)))
	for _, e := range []entry{{fresh, "a", 3, 4}, {fresh, "b", 5, 6}, {late, "c", 0, 1}} {
		p.finish(e)
		p.plan = append(p.plan, e)
		f.Add([]byte(p.append(nil)))
	}
	p.file, p.offset = entry{name: "d", size: 9, modNS: 10}, 7
	f.Add([]byte(p.append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := positionAt(b)
		if err != nil || len(b) == 0 {
			return
		}
		again, err := positionAt(p.append(nil))
		if err != nil || string(again.append(nil)) != string(p.append(nil)) {
			t.Errorf("%x read as %+v, and then as %+v: %v", b, p, again, err)
		}
	})
}
