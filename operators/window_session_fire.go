package operators

import (
	"math"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// FireEvent implements EventTimed: keys in the order of the times at which something is to be done with one of their sessions. A
// key stands in the queue for the earliest of its sessions as it was; when its turn comes and a record has moved that, it
// is put back.
func (x *sessions[K, T, A, V]) FireEvent(limit int) (more bool) {
	if x.stale {
		x.rebuild()
	}
	for n := 0; ; n++ {
		t, ok := x.queue.due(x.env.Clock.WatermarkNS)
		if !ok {
			return false
		}
		if n == limit {
			return true
		}
		x.queue.pop()
		if s, ok := x.keys.Get(t.hash, t.key); ok && s.DueNS == t.atNS {
			x.fire(t)
		}
	}
}

// rebuild fills the queue from the state.
func (x *sessions[K, T, A, V]) rebuild() {
	x.stale = false
	x.queue = x.queue[:0]
	x.ticks.reset()
	var behind []state.At[K] // keys whose turn is another one now: a firing or a reader was added
	var cursor state.Cursor
	for more := true; more; {
		more = x.keys.Scan(&cursor, 1024, func(k K, s *sessionState[A]) {
			at := state.At[K]{Hash: x.hash(k), Key: k}
			if s.DueNS > x.minTurn(s) {
				behind = append(behind, at)
			} else if s.DueNS != never {
				x.queue.push(turn[K]{s.DueNS, at.Hash, k})
			}
			if s.Changed {
				x.ticks.list(at.Hash, k)
			}
		})
	}
	for _, at := range behind {
		x.again(x.keys.At(at.Hash, at.Key), at.Hash, at.Key)
	}
}

// again puts a key into the queue for its next turn.
func (x *sessions[K, T, A, V]) again(s *sessionState[A], hash uint64, k K) {
	if s.DueNS = x.minTurn(s); s.DueNS != never {
		x.queue.push(turn[K]{s.DueNS, hash, k})
	}
}

// fire does what is due of a key's sessions, the older first.
func (x *sessions[K, T, A, V]) fire(t turn[K]) {
	s := x.keys.At(t.hash, t.key)
	kept := s.Older[:0]
	for i := range s.Older {
		if x.fireOne(&s.Older[i], t) {
			kept = append(kept, s.Older[i])
		}
	}
	clear(s.Older[len(kept):])
	s.Older = kept
	if !x.fireOne(&s.Newest, t) { // the others ended before it
		x.keys.Delete(t.hash, t.key)
		return
	}
	x.again(s, t.hash, t.key)
}

// fireOne does what is due of a session and says whether it stays.
func (x *sessions[K, T, A, V]) fireOne(w *session[A], t turn[K]) (stays bool) {
	ns := x.env.Clock.WatermarkNS
	if w.Done || x.end(w) > ns {
		return true
	}
	if x.deferred && w.Cell.Marks&cellChanged != 0 {
		x.emit(flow.Insert, t.hash, t.key, w)
	}
	if x.gone(w) > ns {
		return true
	}
	if x.config.Finals && !w.Final {
		kind := flow.Insert
		if x.config.Changes {
			kind = flow.Final
		}
		x.out.sendTimes(kind, t.hash, t.key, w.FromNS, x.end(w), x.out.result(&w.Cell.Acc))
	}
	w.Final, w.Done = true, true
	return x.config.All
}

// fireChanged emits what changed of a key since it fired last and has not ended.
func (x *sessions[K, T, A, V]) fireChanged(at state.At[K]) {
	if s, ok := x.keys.Get(at.Hash, at.Key); !ok || !s.Changed {
		return
	}
	s := x.keys.At(at.Hash, at.Key)
	s.Changed = false
	for i := range s.Older {
		x.fireIfChanged(&s.Older[i], at)
	}
	x.fireIfChanged(&s.Newest, at)
}

func (x *sessions[K, T, A, V]) fireIfChanged(w *session[A], at state.At[K]) {
	if w.Cell.Marks&cellChanged != 0 {
		x.emit(flow.Insert, at.Hash, at.Key, w)
	}
}

// turn says when a key is to be looked at.
type turn[K comparable] struct {
	atNS int64
	hash uint64
	key  K
}

// turns is a binary heap of them, the earliest first; of equal times the smaller hash.
type turns[K comparable] []turn[K]

func (q turns[K]) less(i, j int) bool {
	return q[i].atNS < q[j].atNS || q[i].atNS == q[j].atNS && q[i].hash < q[j].hash
}

// due is the first turn, if it is due at ns.
func (q turns[K]) due(ns int64) (t turn[K], ok bool) {
	if len(q) == 0 || q[0].atNS > ns || ns == math.MinInt64 {
		return t, false
	}
	return q[0], true
}

func (q *turns[K]) push(t turn[K]) {
	*q = append(*q, t)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (q *turns[K]) pop() {
	h := *q
	n := len(h) - 1
	h[0] = h[n]
	h[n] = turn[K]{}
	h = h[:n]
	*q = h
	for i := 0; ; {
		low := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if h.less(c, low) {
				low = c
			}
		}
		if low == i {
			return
		}
		h[i], h[low] = h[low], h[i]
		i = low
	}
}
