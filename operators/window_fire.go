package operators

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
	"github.com/millrace-io/millrace/state"
)

// FireEvent implements EventTimed: panes in the order of their times, of each all keys.
func (x *aligned[K, T, A, V]) FireEvent(limit int) (more bool) {
	ns := x.env.Clock.WatermarkNS
	if ns != x.watermarkNS || x.stale {
		x.advance(ns)
	}
	for n := 0; ; n++ {
		i, b := x.first(ns)
		if b == nil {
			return false
		}
		if n == limit {
			return true
		}
		if b.at&(lookAhead-1) == 0 {
			x.lookAhead(b.pane, b.keys[b.at:min(len(b.keys), b.at+lookAhead)])
		}
		d := &b.keys[b.at]
		b.at++
		x.fire(i, b.pane, d)
		if b.at == len(b.keys) {
			x.stage[i].due.done()
		}
	}
}

// lookAhead is how many keys have their state read before they have their turn, so that the processor waits once for many.
const lookAhead = 16

func (x *aligned[K, T, A, V]) lookAhead(p int64, some []dueKey[K, A]) {
	if x.stale || x.prefetch == nil {
		return
	}
	var hashes [lookAhead]uint64
	read := int64(0)
	for i := range some {
		hashes[i] = some[i].hash
		if f := some[i].front; f != nil {
			read += f.run
		}
	}
	x.lines = x.keys.offsets(x.lines[:0], p*x.parts+x.width-1)
	x.prefetch(hashes[:len(some)], x.lines)
	for i := range some {
		if f := some[i].front; f != nil {
			read += f.lookAhead()
		}
	}
	x.ahead = read
}

// first is the bucket that is due first, of all stages.
func (x *aligned[K, T, A, V]) first(ns int64) (stage int, b *bucket[K, A]) {
	for i := range x.stage {
		if h := x.stage[i].due.head(ns); h != nil && (b == nil || h.dueNS < b.dueNS) {
			stage, b = i, h
		}
	}
	return stage, b
}

// advance makes the watermark the operator's own.
func (x *aligned[K, T, A, V]) advance(ns int64) {
	x.watermarkNS = ns
	switch ns {
	case flow.FinalWatermarkNS: // no record follows
		x.closed, x.ended, x.dead, x.merged = never, never, never, never
	case flow.NoWatermarkNS:
		x.closed, x.ended, x.dead, x.merged = -never, -never, -never, -never
	default:
		x.closed = x.grid.open(ns)
		x.ended = x.grid.open(Minus(ns, x.config.Grace))
		x.dead = x.ended * x.parts
		x.merged = (x.closed-1)*x.parts + x.width - 1
	}
	if x.config.All {
		x.dead = -never
	}
	if x.stale {
		x.rebuild()
	}
}

// rebuild fills the buckets from the state.
func (x *aligned[K, T, A, V]) rebuild() {
	x.stale = false
	if planted.On("panes-not-rebuilt") {
		return
	}
	x.prefetch = x.env.Store.Prefetcher(x.id)
	for i := range x.stage {
		x.stage[i].due.reset()
	}
	x.ticks.reset()
	var missing []state.At[K] // keys of a stage that was not used when they were saved
	var cursor state.Cursor
	for more := true; more; {
		more = x.keys.scan(&cursor, 1024, func(k K, s *paneState) {
			at := state.At[K]{Hash: x.hash(k), Key: k}
			for i := range x.stage {
				if st := &x.stage[i]; st.used && s.Due[i] != never {
					st.due.add(s.Due[i], dueKey[K, A]{hash: at.Hash, key: k}, st.dueNS)
				} else if st.used {
					missing = append(missing, at)
				}
			}
			if s.Changed {
				x.ticks.list(at.Hash, k)
			}
		})
	}
	for _, at := range missing {
		s, _ := x.keys.at(at.Hash, at.Key)
		for i := range x.stage {
			if st := &x.stage[i]; st.used && s.Due[i] == never {
				p := max(x.opened(i), x.low(s))
				x.schedule(i, s, dueKey[K, A]{hash: at.Hash, key: at.Key}, x.nextPane(s, at.Hash, at.Key, p))
			}
		}
	}
}

// fire gives a key its turn at pane p in a stage.
func (x *aligned[K, T, A, V]) fire(stage int, p int64, d *dueKey[K, A]) {
	s, fresh := x.keys.at(d.hash, d.key)
	if fresh {
		x.keys.delete(d.hash, d.key)
	}
	if fresh || s.Due[stage] != p {
		x.fronts.release(&d.front)
		return
	}
	if x.emits(stage) {
		x.pane = x.paneOf(s, d, p)
		x.emitPane(stage, d, p, &x.pane)
	}
	next := x.nextPane(s, d.hash, d.key, p+1)
	if planted.On("second-pane-forgotten") {
		next = never
	}
	if stage == ending && !x.config.All {
		if x.forget(s, d, p, next); next == never {
			x.keys.delete(d.hash, d.key)
			return
		}
	}
	x.schedule(stage, s, *d, next)
}

// schedule puts a key into the bucket of pane p, never for none.
func (x *aligned[K, T, A, V]) schedule(stage int, s held[A], d dueKey[K, A], p int64) {
	s.Due[stage] = p
	if noPane(p) {
		x.fronts.release(&d.front)
		return
	}
	x.stage[stage].due.add(p, d, x.stage[stage].dueNS)
}

// emits says whether a stage has anything to emit.
func (x *aligned[K, T, A, V]) emits(stage int) bool {
	if stage == closing {
		return true
	}
	return x.config.Finals || x.deferred && !x.stage[closing].used
}

// emitPane emits what a stage emits of a pane.
func (x *aligned[K, T, A, V]) emitPane(stage int, d *dueKey[K, A], p int64, c *cell[A]) {
	if c.empty() {
		return
	}
	if x.deferred && (stage == closing || !x.stage[closing].used) && x.unemitted(c) {
		x.out.write(flow.Insert, d.hash, d.key, p, &c.Acc)
	}
	if stage == ending && x.config.Finals {
		kind := flow.Insert
		if x.config.Changes {
			kind = flow.Final
		}
		x.out.write(kind, d.hash, d.key, p, &c.Acc)
	}
}

// unemitted says whether the pane of c has changed since it was emitted last.
func (x *aligned[K, T, A, V]) unemitted(c *cell[A]) bool {
	switch f := x.firing; {
	case f.Every > 0:
		return c.Marks&cellChanged != 0
	case f.Records > 0:
		return c.records()%uint64(f.Records) != 0
	}
	return true
}

// lookMax bounds the blocks that are looked through for a key's next slice. Where there is more, the key has a turn without a pane.
const lookMax = 64

// nextPane is the first pane from p on that has records of a key, never when there is none, or one before it.
func (x *aligned[K, T, A, V]) nextPane(s held[A], hash uint64, k K, p int64) int64 {
	from := p * x.parts
	switch {
	case s.Newest < from:
		return never
	case s.Newest < from+x.width:
		return p
	}
	at := from >> x.bits
	if s.Last < from {
		at = max(at, s.Block)
	}
	for range lookMax {
		if b := x.reading(s, hash, k, at); b != nil {
			for i := range b {
				if j := at<<x.bits + int64(i); j >= from && !b[i].empty() {
					first, _ := x.panesOf(j)
					return max(p, first)
				}
			}
		}
		if at++; at<<x.bits > s.Last {
			at = max(at, s.Block)
		}
	}
	first, _ := x.panesOf(at << x.bits)
	return max(p, first)
}

// forget drops the blocks of a key that no pane from next on needs; pane p is done. Keys keep them some slices longer than they must,
// each as many as its hash says, since the blocks of all keys end at the same slice: else one firing of many would drop them all.
func (x *aligned[K, T, A, V]) forget(s held[A], d *dueKey[K, A], p, next int64) {
	longer := int64(d.hash>>16) & (1<<x.bits - 1)
	from, to := (p*x.parts-longer)>>x.bits, s.Last>>x.bits+1
	if next != never {
		to = min(to, (next*x.parts-longer)>>x.bits)
	}
	for n := from; n < to; n++ {
		x.keys.oldDrop(d.hash, d.key, n)
	}
	if next == never {
		x.fronts.release(&d.front)
	}
}
