package operators

import (
	"slices"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/agenda"
	"github.com/millrace-io/millrace/state"
)

// session is records of a key of which none is a gap or more after the one before.
type session[A any] struct {
	FromNS, LastNS int64 // event times of its first and its last record
	Sent           bool  // a row of it was emitted
	Final          bool  // its last row was
	Done           bool  // it has no turn any more; it is kept for a complete result
	Cell           cell[A]
}

// sessionState is what a session window knows of a key that has a session.
type sessionState[A any] struct {
	DueNS   int64 // when the key has its turn
	Changed bool  // the key is listed for the next firing by processing time
	Newest  session[A]
	Older   []session[A] // by their times
}

// sessions is the operator of session windows.
type sessions[K comparable, T, A, V any] struct {
	timedWindows[K, T]
	gapNS int64
	key   func(T) K
	hash  func(K) uint64
	add   func(a *A, v T, fresh bool)
	merge merging[A]
	out   paneWriter[K, A, V]
	keys  *state.Table[K, sessionState[A]]

	atLast bool                      // queueLast was called
	queue  agenda.Queue[state.At[K]] // keys by the time of their next turn
	all    []session[A]              // scratch
}

// NewSessions compiles a session window for one task and registers it with e. See NewAligned.
func NewSessions[K comparable, T, A, V any](
	e *Env, id string, gapNS int64, c WindowConfig, key func(T) K, a Aggregator[T, A, V], late func(T), next func(Pane[K, V]),
) (func(T), error) {
	x := &sessions[K, T, A, V]{
		timedWindows: newTimedWindows[K](e, c, late), gapNS: gapNS, key: key, add: a.Add, merge: a.Merge,
	}
	x.queue = x.newTurns()
	x.out = paneWriter[K, A, V]{env: e, grid: sliding{}, result: a.Result, next: next}
	keys, err := codec.KeyOf[K]()
	if err != nil {
		return nil, err
	}
	x.hash = keys.Hash
	if x.keys, err = state.NewTable[K, sessionState[A]](e.Store, id, "keys"); err != nil {
		return nil, err
	}
	x.register(x, x.fireChanged)
	return x.process, nil
}

// end is when a session ends, unless another record comes.
func (x *sessions[K, T, A, V]) end(s *session[A]) int64 { return above(s.LastNS, x.gapNS) }

// gone is when it takes no more records.
func (x *sessions[K, T, A, V]) gone(s *session[A]) int64 {
	return above(x.end(s), int64(x.config.Grace))
}

// takes says whether a record at ns belongs to a session.
func (x *sessions[K, T, A, V]) takes(s *session[A], ns int64) bool {
	return ns < x.end(s) && s.FromNS < above(ns, x.gapNS)
}

func (x *sessions[K, T, A, V]) process(v T) {
	ns, hash, k := x.env.TimeNS, x.env.Hash, x.key(v)
	s, ok := x.keys.Edit(hash, k)
	if ok && x.takes(&s.Newest, ns) && (len(s.Older) == 0 || !x.takes(&s.Older[len(s.Older)-1], ns)) {
		x.extend(s, &s.Newest, hash, k, v, x.replaced(&s.Newest))
		return
	}
	if x.isLate(ns) && (!ok || !x.takesAny(s, ns)) {
		x.tooLate(v)
		return
	}
	if ok {
		x.insert(s, hash, k, v)
		return
	}
	s = x.keys.At(hash, k)
	s.DueNS = never
	s.Newest = session[A]{FromNS: ns, LastNS: ns}
	x.extend(s, &s.Newest, hash, k, v, replacedSession[V]{})
}

// isLate says whether a session of a record at ns alone would take no more records.
func (x *sessions[K, T, A, V]) isLate(ns int64) bool {
	return !x.config.All && x.gone(&session[A]{LastNS: ns}) <= x.env.Clock.WatermarkNS
}

// takesAny says whether a record at ns belongs to a session of a key.
func (x *sessions[K, T, A, V]) takesAny(s *sessionState[A], ns int64) bool {
	for i := range s.Older {
		if x.takes(&s.Older[i], ns) {
			return true
		}
	}
	return x.takes(&s.Newest, ns)
}

// replacedSession is the row that a change of a session replaces.
type replacedSession[V any] struct {
	value V
	endNS int64
	ok    bool // there is one, and it is wanted
}

func (x *sessions[K, T, A, V]) replaced(w *session[A]) (old replacedSession[V]) {
	if x.config.Before && w.Sent {
		return replacedSession[V]{x.out.result(&w.Cell.Acc), x.end(w), true}
	}
	return old
}

// extend adds a record to a session; old is the row it had.
func (x *sessions[K, T, A, V]) extend(s *sessionState[A], w *session[A], hash uint64, k K, v T, old replacedSession[V]) {
	ns := x.env.TimeNS
	if ns < w.FromNS {
		if w.Sent {
			x.withdraw(hash, k, w)
			w.Sent, old.ok = false, false
		}
		w.FromNS = ns
	}
	w.LastNS = max(w.LastNS, ns)
	x.add(&w.Cell.Acc, v, w.Cell.empty())
	w.Cell.Marks += cellOne
	w.Done = w.Done && x.end(w) <= x.env.Clock.WatermarkNS
	if at := x.turnOf(w); at < s.DueNS {
		s.DueNS = at
		x.queue.Push(at, state.At[K]{Hash: hash, Key: k})
	}
	if x.config.Changes && x.fires(s, w, hash, k) {
		x.emitChange(w, hash, k, old)
	}
}

// fires says whether a session that changed is emitted at once; otherwise it is noted.
func (x *sessions[K, T, A, V]) fires(s *sessionState[A], w *session[A], hash uint64, k K) bool {
	if !x.deferred {
		return true
	}
	w.Cell.Marks |= cellChanged
	if x.firing.Every > 0 && !s.Changed {
		s.Changed = true
		x.ticks.list(hash, k)
	}
	n := x.firing.Records
	return x.end(w) <= x.env.Clock.WatermarkNS || n > 0 && w.Cell.records()%uint64(n) == 0
}

func (x *sessions[K, T, A, V]) emitChange(w *session[A], hash uint64, k K, old replacedSession[V]) {
	timeNS, kind := x.env.TimeNS, x.env.Kind
	as := flow.Insert
	if old.ok {
		x.out.sendTimes(flow.UpdateBefore, hash, k, w.FromNS, old.endNS, old.value)
		as = flow.UpdateAfter
	}
	x.emit(as, hash, k, w)
	x.env.TimeNS, x.env.Hash, x.env.Kind = timeNS, hash, kind
}

// emit emits a session as a change.
func (x *sessions[K, T, A, V]) emit(kind flow.Kind, hash uint64, k K, w *session[A]) {
	w.Sent = true
	w.Cell.Marks &^= cellChanged
	x.out.sendTimes(kind, hash, k, w.FromNS, x.end(w), x.out.result(&w.Cell.Acc))
}

// withdraw deletes the row of a session that is no more.
func (x *sessions[K, T, A, V]) withdraw(hash uint64, k K, w *session[A]) {
	timeNS, kind := x.env.TimeNS, x.env.Kind
	x.out.sendTimes(flow.Delete, hash, k, w.FromNS, x.end(w), x.out.result(&w.Cell.Acc))
	x.env.TimeNS, x.env.Hash, x.env.Kind = timeNS, hash, kind
}

// turnOf is when something is to be done with a session.
func (x *sessions[K, T, A, V]) turnOf(w *session[A]) int64 {
	switch {
	case x.deferred && x.config.Grace > 0 && x.end(w) > x.env.Clock.WatermarkNS:
		return x.end(w)
	case w.Done || x.config.All && !x.config.Finals && !x.deferred:
		return never
	}
	return x.gone(w)
}

// insert adds a record that is not, or not only, of the newest session: to one, to one of its own, or to two that it makes one.
func (x *sessions[K, T, A, V]) insert(s *sessionState[A], hash uint64, k K, v T) {
	ns := x.env.TimeNS
	all := append(append(x.all[:0], s.Older...), s.Newest)
	at := 0
	for at < len(all) && !x.takes(&all[at], ns) && all[at].FromNS < ns {
		at++
	}
	var old replacedSession[V]
	if at == len(all) || !x.takes(&all[at], ns) {
		all = slices.Insert(all, at, session[A]{FromNS: ns, LastNS: ns})
	} else {
		old = x.replaced(&all[at])
		if at+1 < len(all) && x.takes(&all[at+1], ns) {
			all = x.join(all, at, hash, k)
		}
	}
	x.extend(s, &all[at], hash, k, v, old)
	s.Newest = all[len(all)-1]
	s.Older = append(s.Older[:0], all[:len(all)-1]...)
	clear(s.Older[len(s.Older):cap(s.Older)])
	clear(all)
	x.all = all[:0]
}

// join makes one of session i and the one behind it, whose row is withdrawn.
func (x *sessions[K, T, A, V]) join(all []session[A], i int, hash uint64, k K) []session[A] {
	a, b := &all[i], &all[i+1]
	if b.Sent {
		x.withdraw(hash, k, b)
	}
	a.LastNS = max(a.LastNS, b.LastNS)
	a.Final = a.Final || b.Final
	a.Cell = x.merge.cells(&a.Cell, &b.Cell)
	a.Done = a.Done && b.Done
	return slices.Delete(all, i+1, i+2)
}

// minTurn is when a key has its next turn.
func (x *sessions[K, T, A, V]) minTurn(s *sessionState[A]) int64 {
	at := x.turnOf(&s.Newest)
	for i := range s.Older {
		at = min(at, x.turnOf(&s.Older[i]))
	}
	return at
}
