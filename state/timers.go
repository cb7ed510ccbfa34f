package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
)

// Timers are the timers of one operator: each is unique by key, name and time. They are entries of the store, so they are in
// its snapshots; two heaps in memory say which is next. They stay in memory also when the store has byte stores.
//
// The task's loop asks NextNS and takes what is Due; user code sets, deletes and lists timers of the current key.
type Timers[K comparable] struct {
	s        *Store
	at       *At[K]
	operator string
	keys     keying[K]
	kinds    []*timerKind
	heaps    [timerDomains]timerHeap
	outer    []byte  // scratch: the key's canonical bytes
	when     [8]byte // scratch: a timer's time
	key      []byte  // scratch: a timer's key
}

// timerKind is the timers of one name.
type timerKind struct {
	name   string
	domain TimerDomain
	table  *core
	chains *chains // by key, from the first List on
}

// timerLinks chains the timers of one key and name, by position+1 within their part. They are not in snapshots.
type timerLinks struct{ prev, next uint32 }

// timerSchema is of the values in a snapshot, of which there are none: a timer is its key.
const timerSchema = `{"name":"Timer","type":"record","fields":[]}`

// NewTimers makes the timers of operator, bound to the key in at. An operator has one.
func NewTimers[K comparable](s *Store, at *At[K], operator string) (*Timers[K], error) {
	if operator == "" {
		return nil, errors.New("timers have no operator")
	}
	keys, err := keyingOf[K]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: timers: key: %w", operator, err)
	}
	t := &Timers[K]{s: s, at: at, operator: operator, keys: keys}
	for d := range t.heaps {
		t.heaps[d] = timerHeap{tie: t.tie, alive: t.alive, discard: t.discard}
	}
	s.restores = append(s.restores, t.rebuild)
	return t, nil
}

const timerKindsMax = 1 << 16

const timerEarlyNS = 50_000 // of a planted bug

// Register names a kind of timer, before the first record and before a restore. The name is in the snapshots.
func (t *Timers[K]) Register(name string, domain TimerDomain) (TimerID, error) {
	switch {
	case checkName(t.operator, name) != nil:
		return 0, checkName(t.operator, name)
	case domain >= timerDomains:
		return 0, fmt.Errorf("operator %q: timer %q: domain %d is neither processing time nor event time", t.operator, name, domain)
	case len(t.kinds) == timerKindsMax:
		return 0, fmt.Errorf("operator %q: timer %q: more than %d timers", t.operator, name, timerKindsMax)
	case t.s.byName[stateName{t.operator, timerState(name)}] != nil:
		return 0, fmt.Errorf("operator %q: timer name %q used twice", t.operator, name)
	}
	keys := compositeKeying(t.keys, "Timer", "time", `"long"`).untyped()
	x := newCore(t.s, t.operator, timerState(name), keys, unwritten[timerLinks](timerSchema, false))
	t.s.add(x)
	t.kinds = append(t.kinds, &timerKind{name: name, domain: domain, table: x})
	return TimerID(len(t.kinds) - 1), nil
}

func timerState(name string) string { return "timers/" + name }

// compose makes the hash and the key of a timer, which is good until the next call.
func (t *Timers[K]) compose(hash uint64, k K, atNS int64) (uint64, string) {
	binary.BigEndian.PutUint64(t.when[:], uint64(atNS)^1<<63) // ordered as the times are
	t.outer = t.keys.append(t.outer[:0], k)
	t.key = appendComposite(t.key[:0], t.outer, t.when[:])
	return compositeHash(hash, t.when[:]), stringOf(t.key)
}

// timerParts undoes compose.
func timerParts(key string) (outer []byte, atNS int64, err error) {
	outer, when, err := splitComposite(bytesOf(key))
	if err == nil && len(when) != 8 {
		err = fmt.Errorf("timer's time of %d bytes, want 8: %w", len(when), codec.ErrDamaged)
	}
	if err != nil {
		return nil, 0, err
	}
	return outer, int64(binary.BigEndian.Uint64(when) ^ 1<<63), nil
}

// Set makes a timer of the current key; it does nothing when it is there.
func (t *Timers[K]) Set(id TimerID, atNS int64) {
	kind := t.kinds[id]
	x := kind.table
	hash, key := t.compose(t.at.Hash, t.at.Key, atNS)
	g := x.partOf(hash)
	slot, _, ok := x.find(g, hash, x.wanted(hash, key), key)
	if ok {
		return
	}
	pos, _ := x.insert(g, slot, hash, x.keep(&x.parts[g], x.wanted(hash, key), key))
	t.heaps[kind.domain].push(timerNode{atNS, timerAt(id, g, pos)})
	if kind.chains != nil {
		kind.chains.link(t.at.Hash, g, pos)
	}
}

// Delete removes a timer of the current key; it does nothing when it is not there.
func (t *Timers[K]) Delete(id TimerID, atNS int64) {
	x := t.kinds[id].table
	hash, key := t.compose(t.at.Hash, t.at.Key, atNS)
	g := x.partOf(hash)
	if slot, pos, ok := x.find(g, hash, x.wanted(hash, key), key); ok {
		t.retire(t.kinds[id], t.at.Hash, g, slot, pos)
		t.heaps[t.kinds[id].domain].deleted()
	}
}

// retire removes a timer. Its entry is held until its node has left the heap.
func (t *Timers[K]) retire(kind *timerKind, keyHash uint64, g int, slot uint64, pos uint32) {
	if kind.chains != nil {
		kind.chains.unlink(keyHash, g, pos)
	}
	if !planted.On("fired-timer-stays-in-the-snapshot") {
		kind.table.bury(g, pos)
	}
	kind.table.retire(g, slot, pos)
}

// List goes over the times at which the current key has timers of a name, earliest first. Meanwhile timers
// may be set and deleted; what is seen is what there was at the start. The first call indexes all timers of the name by key.
func (t *Timers[K]) List(id TimerID) iter.Seq[int64] {
	kind := t.kinds[id]
	return func(yield func(int64) bool) {
		if kind.chains == nil {
			kind.chains = newChains(kind.table, t.keyHash)
		}
		for _, atNS := range kind.chains.times(t.at.Hash, t.keys.append(nil, t.at.Key)) {
			if !yield(atNS) {
				return
			}
		}
	}
}

// keyHash is the hash of the key that a timer belongs to.
func (t *Timers[K]) keyHash(key string) uint64 {
	outer, _, err := timerParts(key)
	if err != nil {
		fail("operator %q: timer in memory: %w", t.operator, err)
	}
	h, err := t.keys.hashBytes(outer)
	if err != nil {
		fail("operator %q: timer in memory: key: %w", t.operator, err)
	}
	return h
}

// NextNS is when the next timer of a domain is due; math.MaxInt64: there is none.
func (t *Timers[K]) NextNS(domain TimerDomain) int64 {
	if n, ok := t.heaps[domain].top(); ok {
		return n.atNS
	}
	return math.MaxInt64
}

// Due takes out the next timer that is due at nowNS, in the order of time, key and name.
func (t *Timers[K]) Due(domain TimerDomain, nowNS int64) (key K, hash uint64, id TimerID, atNS int64, ok bool) {
	h := &t.heaps[domain]
	n, ok := h.top()
	if !ok || n.atNS > nowNS && (n.atNS-nowNS >= timerEarlyNS || !planted.On("timer-early")) {
		return key, 0, 0, 0, false
	}
	h.pop()
	kind := t.kinds[n.at.id()]
	x := kind.table
	g, pos := n.at.part(), n.at.pos()
	composite := x.parts[g].ar.get(x.parts[g].sl.at(pos).key.ref())
	outer, _, err := timerParts(composite)
	if err != nil {
		fail("operator %q: timer %q: %w", t.operator, kind.name, err)
	}
	key = t.decode(outer)
	hash = t.keys.hash(key)
	slot := x.parts[g].ix.slotOf(compositeHash(hash, bytesOf(composite[len(composite)-8:])), pos)
	t.retire(kind, hash, g, slot, pos)
	x.vacate(g, pos)
	return key, hash, n.at.id(), n.atNS, true
}

func (t *Timers[K]) decode(outer []byte) K {
	if t.keys.form == codec.KeyString {
		return asKey[K](stringOf(outer)) // bytes of an arena are never overwritten
	}
	k, err := t.keys.decode(outer)
	if err != nil {
		fail("operator %q: timer in memory: key: %w", t.operator, err)
	}
	return k
}

// rebuild fills the heaps after a restore.
func (t *Timers[K]) rebuild() error {
	if planted.On("timers-not-rebuilt") {
		return nil
	}
	for d := range t.heaps {
		t.heaps[d].nodes = t.heaps[d].nodes[:0]
	}
	for id, kind := range t.kinds {
		h := &t.heaps[kind.domain]
		for g := range kind.table.parts {
			p := &kind.table.parts[g]
			for pos := range p.sl.n {
				if p.sl.status[pos].marks&markLive == 0 {
					continue
				}
				_, atNS, err := timerParts(p.ar.get(p.sl.at(pos).key.ref()))
				if err != nil {
					return fmt.Errorf("restore operator %q: timer %q, key group %d: %w", t.operator, kind.name, flow.KeyGroup(kind.table.lo+g), err)
				}
				h.nodes = append(h.nodes, timerNode{atNS, timerAt(TimerID(id), g, pos)})
			}
		}
		kind.chains = nil
	}
	for d := range t.heaps {
		t.heaps[d].order()
	}
	return nil
}

// TimerDomain is the time a timer waits for.
type TimerDomain uint8

const (
	// ProcessingTime timers are due when the engine's clock passes them.
	ProcessingTime TimerDomain = iota
	// EventTime timers are due when the watermark passes them.
	EventTime
	timerDomains = 2
)

// TimerID names a registered timer within its operator and process; ids are given in the order of registration.
type TimerID uint16
