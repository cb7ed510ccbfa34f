package operators

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// changing is the panes of slice j that a record which comes to it may emit at once.
func (x *aligned[K, T, A, V]) changing(j int64) (first, last int64) {
	first, last = x.panesOf(j)
	if !x.config.All {
		first = max(first, x.ended)
	}
	if x.deferred && x.firing.Records == 0 {
		last = min(last, x.closed-1)
	}
	return first, last
}

// remember keeps the values of the panes of slice j before a record comes to it.
func (x *aligned[K, T, A, V]) remember(s held[A], hash uint64, k K, j int64, fresh bool) {
	clear(x.before)
	x.before = x.before[:0]
	first, last := x.changing(j)
	if fresh || first > last {
		return
	}
	x.after = x.values(x.after[:0], s, hash, k, j, first, last)
	for i := range x.after {
		old := replacedPane[V]{ok: !x.after[i].empty()}
		if old.ok {
			old.value = x.out.result(&x.after[i].Acc)
		}
		x.before = append(x.before, old)
	}
}

// replacedPane is what a pane was before a record; false: it was not.
type replacedPane[V any] struct {
	value V
	ok    bool
}

// emitChanges emits the panes of slice j behind a record that came to its cell c, or notes that they are to be emitted.
func (x *aligned[K, T, A, V]) emitChanges(s held[A], hash uint64, k K, j int64, c *cell[A]) {
	if x.deferred {
		c.Marks |= cellChanged
		if x.firing.Every > 0 && !s.Changed {
			s.Changed = true
			x.ticks.list(hash, k)
		}
	}
	first, last := x.changing(j)
	if first > last {
		return
	}
	timeNS, kind := x.env.TimeNS, x.env.Kind
	if x.width == 1 {
		x.emitChange(hash, k, first, 0, c)
	} else {
		x.after = x.values(x.after[:0], s, hash, k, j, first, last)
		for i := range x.after {
			x.emitChange(hash, k, first+int64(i), i, &x.after[i])
		}
	}
	x.env.TimeNS, x.env.Hash, x.env.Kind = timeNS, hash, kind
}

// emitChange emits pane p with value c; i is its place among the values remembered.
func (x *aligned[K, T, A, V]) emitChange(hash uint64, k K, p int64, i int, c *cell[A]) {
	if x.deferred && p >= x.closed && (x.firing.Records == 0 || c.records()%uint64(x.firing.Records) != 0) {
		return
	}
	kind := flow.Insert
	if i < len(x.before) && x.before[i].ok {
		x.out.send(flow.UpdateBefore, hash, k, p, x.before[i].value)
		kind = flow.UpdateAfter
	}
	x.out.write(kind, hash, k, p, &c.Acc)
}

// values appends the values of panes first to last, which all have slice j: each is the end of the slices up to j and the beginning
// of those behind it, so that all take about as many merges as there are slices.
func (x *aligned[K, T, A, V]) values(dst []cell[A], s held[A], hash uint64, k K, j, first, last int64) []cell[A] {
	x.left, x.right = x.left[:0], x.right[:0]
	var sum cell[A]
	for i := j; i >= first*x.parts; i-- {
		if c := x.peek(s, hash, k, i); c != nil {
			sum = x.merge.cells(c, &sum)
		}
		x.left = append(x.left, sum)
	}
	sum = cell[A]{}
	for i := j + 1; i < last*x.parts+x.width && i <= s.Newest; i++ {
		if c := x.peek(s, hash, k, i); c != nil {
			sum = x.merge.cells(&sum, c)
		}
		x.right = append(x.right, sum)
	}
	for p := first; p <= last; p++ {
		c := x.left[j-p*x.parts]
		if n := min(int64(len(x.right)), p*x.parts+x.width-1-j); n > 0 {
			c = x.merge.cells(&c, &x.right[n-1])
		}
		dst = append(dst, c)
	}
	return dst
}

// fireChanged emits the open panes of a key that changed since it fired last.
func (x *aligned[K, T, A, V]) fireChanged(at state.At[K]) {
	if s, ok := x.keys.get(at.Hash, at.Key); !ok || !s.Changed {
		return
	}
	s, _ := x.keys.at(at.Hash, at.Key)
	s.Changed = false
	first := x.nextPane(s, at.Hash, at.Key, max(x.closed, x.low(s)))
	if noPane(first) {
		return
	}
	shared := (x.width - 1) / x.parts // so many panes behind p have the last slice of p
	for p := first; !noPane(p); p = x.nextPane(s, at.Hash, at.Key, p+shared+1) {
		x.after = x.values(x.after[:0], s, at.Hash, at.Key, p*x.parts+x.width-1, p, p+shared)
		for i := range x.after {
			if c := &x.after[i]; c.Marks&cellChanged != 0 {
				x.out.write(flow.Insert, at.Hash, at.Key, p+int64(i), &c.Acc)
			}
		}
	}
	x.settle(s, at.Hash, at.Key, first*x.parts)
}

// low is the first pane that a stage has before it.
func (x *aligned[K, T, A, V]) low(s held[A]) int64 {
	p, _ := x.panesOf(s.Newest)
	for i := range x.stage {
		if x.stage[i].used {
			p = min(p, s.Due[i])
		}
	}
	return p
}
