package state

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/agenda"
	"github.com/millrace-io/millrace/internal/planted"
)

// Seen is a set of keys, each of them until a time of its own, which is an event time if the caller's are. Those whose time has
// come are forgotten in buckets of time: 16 bytes for each key in a calendar that is derived from the table, and no timer. In front
// of a byte store there is no calendar, which would hold every key in memory; there each new key pays for a look at a few others,
// all round the table.
//
// Keys are held as their canonical bytes, whatever their type. The task's loop alone calls it.
type Seen[K comparable] struct {
	seen
	keys    keying[K]
	scratch []byte
}

// seen is a Seen of canonical bytes.
type seen struct {
	table *Table[string, until]
	due   agenda.Queue[uint64]
	hash  func(string) uint64

	sweep Cursor // in front of a byte store
	owed  int    // keys to look at
}

// until is when a key is forgotten.
type until struct{ UntilNS int64 }

// NewSeen makes the state name of operator. span is how far ahead the times may lie, about.
func NewSeen[K comparable](s *Store, operator, name string, span time.Duration) (*Seen[K], error) {
	keys, err := keyingOf[K]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: state %q: key: %w", operator, name, err)
	}
	values, err := codec.Derive[until]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: state %q: %w", operator, name, err)
	}
	if err := checkName(operator, name); err != nil {
		return nil, err
	}
	canonical := keying[string]{
		form:   codec.KeyString,
		schema: keys.schema,
		inline: true,
		hash: func(k string) uint64 { // of bytes that were made by Append or checked when they came in
			h, err := keys.hashBytes(bytesOf(k))
			if err != nil {
				panic(Failure{err})
			}
			return h
		},
		append: func(dst []byte, k string) []byte { return append(dst, k...) },
		decode: func(src []byte) (string, error) { return string(src), nil },
	}
	t, err := newTable(s, operator, name, canonical, values)
	if err != nil {
		return nil, err
	}
	x := &Seen[K]{seen: seen{table: t, due: agenda.New[uint64](span, nil), hash: canonical.hash}, keys: keys}
	s.restores = append(s.restores, x.rebuild)
	return x, nil
}

// Add adds the key until untilNS, math.MaxInt64 for good. If it is there, and its time is after nowNS, nothing changes and its time is
// returned.
func (x *Seen[K]) Add(hash uint64, key K, nowNS, untilNS int64) (wasNS int64, fresh bool) {
	if x.keys.form == codec.KeyString {
		return x.add(hash, asString(key), nowNS, untilNS)
	}
	x.scratch = x.keys.append(x.scratch[:0], key)
	return x.add(hash, stringOf(x.scratch), nowNS, untilNS)
}

func (x *seen) add(hash uint64, key string, nowNS, untilNS int64) (wasNS int64, fresh bool) {
	if x.table.in.mem == nil {
		return x.addStored(hash, key, nowNS, untilNS)
	}
	v, at, fresh := placeIn(x.table, hash, key)
	switch {
	case fresh:
		v.UntilNS = untilNS
		if untilNS != math.MaxInt64 {
			x.due.Push(untilNS, uint64(at))
		}
		return untilNS, true
	case v.UntilNS > nowNS:
		return v.UntilNS, false
	}
	// It was forgotten before its bucket was: its cell finds the new time.
	x.table.At(hash, key).UntilNS = untilNS
	return untilNS, true
}

func (x *seen) addStored(hash uint64, key string, nowNS, untilNS int64) (wasNS int64, fresh bool) {
	if v, ok := x.table.Get(hash, key); ok && v.UntilNS > nowNS {
		return v.UntilNS, false
	}
	x.table.At(hash, key).UntilNS = untilNS
	x.owed += sweepLooks
	return untilNS, true
}

// sweepLooks is how many keys are looked at for each that is new: forgotten keys are at most a third of those that are not.
const sweepLooks = 4

// Forget removes keys whose time has come at nowNS, at most about n, and says whether there may be more. Add does not find them
// in either case.
func (x *seen) Forget(nowNS int64, n int) (more bool) {
	if x.table.in.mem == nil {
		return x.forgetStored(nowNS, n)
	}
	for range n {
		if planted.On("seen-key-forgotten-early") {
			nowNS += 1_000_000_000
		}
		c, ok := x.due.Pop(nowNS)
		if !ok {
			return false
		}
		at := place(c.Node)
		if until := (*until)(x.table.in.mem.valueAt(at)).UntilNS; until > nowNS { // added again before its bucket was forgotten
			if until != math.MaxInt64 {
				x.due.Push(until, c.Node)
			}
			continue
		}
		x.table.in.mem.removeAt(at)
	}
	return true
}

func (x *seen) forgetStored(nowNS int64, n int) (more bool) {
	if nowNS == math.MaxInt64 { // nothing follows: what is left costs nothing
		return false
	}
	look := min(n, x.owed)
	if look == 0 {
		return false
	}
	var gone []string
	if !x.table.Scan(&x.sweep, look, func(k string, v *until) {
		if v.UntilNS <= nowNS {
			gone = append(gone, k)
		}
	}) {
		x.sweep = Cursor{}
	}
	x.owed -= look
	for _, k := range gone {
		x.table.Delete(x.hash(k), k)
	}
	return x.owed > 0
}

// NextNS is a time before which Forget finds nothing; math.MaxInt64 when there is nothing.
func (x *seen) NextNS() int64 { return x.due.NextNS() }

// Len is the number of keys, those that are forgotten and not yet removed included.
func (x *seen) Len() int { return x.table.Len() }

// rebuild fills the calendar.
func (x *seen) rebuild() error {
	if x.table.in.mem != nil {
		x.table.in.mem.eachPlace(func(at place, v unsafe.Pointer) {
			if end := (*until)(v).UntilNS; end != math.MaxInt64 {
				x.due.Push(end, uint64(at))
			}
		})
	}
	return nil
}
