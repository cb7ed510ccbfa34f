package state

import (
	"fmt"
	"iter"
	"time"

	"github.com/millrace-io/millrace/codec"
)

// Map is a map for each key, in the order of insertion. Each of its entries is an entry of its own, so a large map costs and
// writes no more than a small one. Its methods are about the current key and are called by the operator's user code only.
type Map[MK comparable, V any] struct {
	slot mapSlot[MK, V]
	all  iter.Seq2[MK, V] // made once: a method value is an allocation
}

type mapSlot[MK comparable, V any] interface {
	get(k MK) (V, bool)
	set(k MK, v V)
	delete(k MK) bool
	length() int
	each(yield func(MK, V) bool)
	clear()
}

// NewMap makes the map state name of operator, bound to the key in at. An entry expires ttl of processing time after it was
// set last. ttl is Forever or positive.
func NewMap[MK comparable, V any, K comparable](s *Store, at *At[K], operator, name string, ttl time.Duration) (*Map[MK, V], error) {
	if err := checkHandle[V](operator, name, ttl); err != nil {
		return nil, err
	}
	wrap := func(what string, err error) error {
		return fmt.Errorf("operator %q: state %q: %s: %w", operator, name, what, err)
	}
	keys, err := keyingOf[K]()
	if err != nil {
		return nil, wrap("key", err)
	}
	inner, err := keyingOf[MK]()
	if err != nil {
		return nil, wrap("map key", err)
	}
	headers, err := codec.Derive[mapHeader[MK]]()
	if err != nil {
		return nil, wrap("map key", err)
	}
	values, err := codec.Derive[mapEntry[MK, V]]()
	if err != nil {
		return nil, wrap("value", err)
	}
	x := &keyedMap[K, MK, V]{at: at, keys: keys, inner: inner, life: lifetime{s.o.Clock, ttl}}
	if x.headers, err = newTable(s, operator, name, keys, headers); err != nil {
		return nil, err
	}
	entries, err := newTable(s, operator, name+"/entries", compositeKeying(keys, "Entry", "mapKey", inner.schema), values)
	if err != nil {
		return nil, err
	}
	expire(entries, ttl, func(e *mapEntry[MK, V]) int64 { return e.ExpireNS }, x.expired)
	x.entries = entries
	return &Map[MK, V]{x, x.each}, nil
}

// Get is the value of k; false when there is none or it has expired.
func (x *Map[MK, V]) Get(k MK) (V, bool) { return x.slot.get(k) }

// Contains says whether Get would find k.
func (x *Map[MK, V]) Contains(k MK) bool {
	_, ok := x.slot.get(k)
	return ok
}

// Set gives k a value and begins the entry's time to live again. A key that is new comes last in the order.
func (x *Map[MK, V]) Set(k MK, v V) { x.slot.set(k, v) }

// Delete removes k and says whether it was there.
func (x *Map[MK, V]) Delete(k MK) bool { return x.slot.delete(k) }

// Exists says whether there is an entry that has not expired.
func (x *Map[MK, V]) Exists() bool {
	for range x.all {
		return true
	}
	return false
}

// Len is the number of entries that have not expired. Maps with a time to live are counted one by one.
func (x *Map[MK, V]) Len() int { return x.slot.length() }

// All goes over the entries in the order of insertion. Meanwhile entries may be set, and the one just seen deleted; deleting
// others may end it early.
func (x *Map[MK, V]) All() iter.Seq2[MK, V] { return x.all }

// Keys is All without the values.
func (x *Map[MK, V]) Keys() iter.Seq[MK] {
	return func(yield func(MK) bool) {
		x.slot.each(func(k MK, _ V) bool { return yield(k) })
	}
}

// Values is All without the keys.
func (x *Map[MK, V]) Values() iter.Seq[V] {
	return func(yield func(V) bool) {
		x.slot.each(func(_ MK, v V) bool { return yield(v) })
	}
}

// Clear removes all entries of the current key.
func (x *Map[MK, V]) Clear() { x.slot.clear() }
