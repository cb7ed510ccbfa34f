package operators

import (
	"slices"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/agenda"
	"github.com/millrace-io/millrace/state"
)

// FireEvent implements EventTimed: keys in the order of the times at which something is to be done with one of their sessions. A
// key stands in the queue for the earliest of its sessions as it was; when its turn comes and a record has moved that, it
// is put back.
func (x *sessions[K, T, A, V]) FireEvent(limit int) (more bool) {
	if x.stale {
		x.rebuild()
	}
	for range limit {
		t, ok := x.queue.Pop(x.env.Clock.WatermarkNS)
		if !ok && x.env.Clock.WatermarkNS == flow.FinalWatermarkNS && !x.atLast {
			x.queueLast()
			t, ok = x.queue.Pop(x.env.Clock.WatermarkNS)
		}
		if !ok {
			return false
		}
		if s, ok := x.keys.Edit(t.Node.Hash, t.Node.Key); ok && s.DueNS == t.DueNS {
			x.fire(s, t.Node)
		}
	}
	return x.queue.NextNS() <= x.env.Clock.WatermarkNS
}

// queueLast gives a turn to the sessions that end, with their grace, beyond what can be said: behind all others, at the end of time.
func (x *sessions[K, T, A, V]) queueLast() {
	x.atLast = true
	var cursor state.Cursor
	for more := !x.config.All || x.config.Finals || x.deferred; more; {
		more = x.keys.Scan(&cursor, 1024, func(k K, s *sessionState[A]) {
			if s.DueNS == never && (!s.Newest.Done || slices.ContainsFunc(s.Older, func(w session[A]) bool { return !w.Done })) {
				x.queue.Push(never, state.At[K]{Hash: x.hash(k), Key: k})
			}
		})
	}
}

// rebuild fills the queue from the state.
func (x *sessions[K, T, A, V]) rebuild() {
	x.stale, x.atLast = false, false
	x.queue = x.newTurns()
	x.ticks.reset()
	var behind []state.At[K] // keys whose turn is another one now: a firing or a reader was added
	var cursor state.Cursor
	for more := true; more; {
		more = x.keys.Scan(&cursor, 1024, func(k K, s *sessionState[A]) {
			at := state.At[K]{Hash: x.hash(k), Key: k}
			if s.DueNS > x.minTurn(s) {
				behind = append(behind, at)
			} else if s.DueNS != never {
				x.queue.Push(s.DueNS, at)
			}
			if s.Changed {
				x.ticks.list(at.Hash, k)
			}
		})
	}
	for _, at := range behind {
		x.again(x.keys.At(at.Hash, at.Key), at)
	}
}

// again puts a key into the queue for its next turn.
func (x *sessions[K, T, A, V]) again(s *sessionState[A], at state.At[K]) {
	if s.DueNS = x.minTurn(s); s.DueNS != never {
		x.queue.Push(s.DueNS, at)
	}
}

// fire does what is due of a key's sessions, the older first.
func (x *sessions[K, T, A, V]) fire(s *sessionState[A], at state.At[K]) {
	kept := s.Older[:0]
	for i := range s.Older {
		if x.fireOne(&s.Older[i], at) {
			kept = append(kept, s.Older[i])
		}
	}
	clear(s.Older[len(kept):])
	s.Older = kept
	if !x.fireOne(&s.Newest, at) { // the others ended before it
		x.keys.Delete(at.Hash, at.Key)
		return
	}
	x.again(s, at)
}

// fireOne does what is due of a session and says whether it stays.
func (x *sessions[K, T, A, V]) fireOne(w *session[A], at state.At[K]) (stays bool) {
	ns := x.env.Clock.WatermarkNS
	if w.Done || x.end(w) > ns {
		return true
	}
	if x.deferred && w.Cell.Marks&cellChanged != 0 {
		x.emit(flow.Insert, at.Hash, at.Key, w)
	}
	if x.gone(w) > ns {
		return true
	}
	if x.config.Finals && !w.Final {
		kind := flow.Insert
		if x.config.Changes {
			kind = flow.Final
		}
		x.out.sendTimes(kind, at.Hash, at.Key, w.FromNS, x.end(w), x.out.result(&w.Cell.Acc))
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

// newTurns is a queue of keys, in the order of their turns; of equal times the smaller hash.
func (x *sessions[K, T, A, V]) newTurns() agenda.Queue[state.At[K]] {
	q := agenda.New(time.Duration(x.gapNS), func(a, b state.At[K]) bool { return a.Hash < b.Hash })
	q.Revise(x.putOff)
	return q
}

// putOff is when a key has its turn that stands in the queue for dueNS: records have moved most of them since. Not ok: it has none,
// or another turn stands for it.
func (x *sessions[K, T, A, V]) putOff(at state.At[K], dueNS int64) (nowNS int64, ok bool) {
	s, ok := x.keys.Edit(at.Hash, at.Key)
	if !ok || s.DueNS != dueNS {
		return 0, false
	}
	if dueNS == never { // a turn at the end of time, of queueLast
		return never, true
	}
	s.DueNS = x.minTurn(s)
	return s.DueNS, s.DueNS != never
}
