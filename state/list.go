package state

import (
	"encoding/binary"
	"fmt"
	"iter"
	"sort"
	"time"

	"github.com/millrace-io/millrace/codec"
)

// List is a list of values for each key. Each element is an entry of its own, so appending to a long list costs and writes no
// more than to a short one. Its methods are about the current key and are called by the operator's user code only.
type List[V any] struct {
	slot listSlot[V]
	all  iter.Seq[V] // made once: a method value is an allocation
}

type listSlot[V any] interface {
	length() int
	add(v V)
	clear()
}

// NewList makes the list state name of operator, bound to the key in at. An element expires ttl of processing time after it
// was added; only Put renews what was there before. ttl is Forever or positive.
func NewList[V any, K comparable](s *Store, at *At[K], operator, name string, ttl time.Duration) (*List[V], error) {
	if err := checkHandle[V](operator, name, ttl); err != nil {
		return nil, err
	}
	wrap := func(err error) error { return fmt.Errorf("operator %q: state %q: %w", operator, name, err) }
	keys, err := keyingOf[K]()
	if err != nil {
		return nil, wrap(fmt.Errorf("key: %w", err))
	}
	headers, err := codec.Derive[listHeader]()
	if err != nil {
		return nil, wrap(err)
	}
	values, err := codec.Derive[timed[V]]()
	if err != nil {
		return nil, wrap(err)
	}
	x := &keyedList[K, V]{at: at, keys: keys, life: lifetime{s.o.Clock, ttl}}
	if x.headers, err = newTable(s, operator, name, keys, headers); err != nil {
		return nil, err
	}
	elements, err := newTable(s, operator, name+"/elements", compositeKeying(keys, "Element", "number", `"long"`), values)
	if err != nil {
		return nil, err
	}
	expire(elements, ttl, instantOf[V], x.expired)
	x.elements = elements
	return &List[V]{x, x.each}, nil
}

// Len is the number of elements that have not expired.
func (x *List[V]) Len() int { return x.slot.length() }

// Exists says whether there is an element that has not expired.
func (x *List[V]) Exists() bool {
	for range x.all {
		return true
	}
	return false
}

// All goes over the elements, oldest first. The list may be changed meanwhile; elements added then are not seen.
func (x *List[V]) All() iter.Seq[V] { return x.all }

// Append adds elements; those already there keep their time to live.
func (x *List[V]) Append(vs ...V) {
	for _, v := range vs { // one by one: a slice handed through the interface would escape
		x.slot.add(v)
	}
}

// Put replaces the list.
func (x *List[V]) Put(vs ...V) {
	x.slot.clear()
	x.Append(vs...)
}

// Clear removes all elements of the current key.
func (x *List[V]) Clear() { x.slot.clear() }

// listHeader bounds the numbers of a list's elements: all of [Head, Tail), except some at the start that have expired and are gone.
type listHeader struct {
	Head, Tail int64
	LastNS     int64 // when the newest element expires; elements expire in order, so a list expires from its head
	Mixed      bool  // they do not: an older version of the job kept some longer, or the wall clock stepped back between two runs
}

// keyedList is a List whose key type is known.
type keyedList[K comparable, V any] struct {
	at       *At[K]
	keys     keying[K]
	headers  *Table[K, listHeader]
	elements *Table[string, timed[V]]
	life     lifetime
	outer    []byte  // scratch: the key's canonical bytes
	number   [8]byte // scratch: an element's number
	key      []byte  // scratch: an element's key
}

// element is the hash and the key of element n of key k, which is good until the next call.
func (x *keyedList[K, V]) element(hash uint64, k K, n int64) (uint64, string) {
	binary.BigEndian.PutUint64(x.number[:], uint64(n))
	x.outer = x.keys.append(x.outer[:0], k)
	x.key = appendComposite(x.key[:0], x.outer, x.number[:])
	return compositeHash(hash, x.number[:]), stringOf(x.key)
}

// living bounds the elements that have not expired; in a mixed list some between have.
func (x *keyedList[K, V]) living() (head, tail int64) {
	h, ok := x.headers.Get(x.at.Hash, x.at.Key)
	if !ok {
		return 0, 0
	}
	head, tail = h.Head, h.Tail
	if h.Mixed {
		return head, tail
	}
	if x.life.over(h.LastNS) {
		return tail, tail
	}
	if _, ok := x.read(x.at.Hash, x.at.Key, head); !ok {
		head += int64(sort.Search(int(tail-head), func(i int) bool {
			_, ok := x.read(x.at.Hash, x.at.Key, head+int64(i))
			return ok
		}))
	}
	return head, tail
}

// read is element n unless it is gone or has expired.
func (x *keyedList[K, V]) read(hash uint64, k K, n int64) (v V, ok bool) {
	h, key := x.element(hash, k, n)
	e, ok := x.elements.Get(h, key)
	if !ok || x.life.over(e.ExpireNS) {
		return v, false
	}
	return e.Value, true
}

func (x *keyedList[K, V]) length() int {
	if h, ok := x.headers.Get(x.at.Hash, x.at.Key); ok && h.Mixed {
		n := 0
		x.each(func(V) bool { n++; return true })
		return n
	}
	head, tail := x.living()
	return int(tail - head)
}

func (x *keyedList[K, V]) each(yield func(V) bool) {
	hash, k := x.at.Hash, x.at.Key
	head, tail := x.living()
	for n := head; n < tail; n++ {
		if v, ok := x.read(hash, k, n); ok && !yield(v) {
			return
		}
	}
}

func (x *keyedList[K, V]) add(v V) {
	h := x.headers.At(x.at.Hash, x.at.Key)
	n, end := h.Tail, x.life.end()
	if end != 0 && h.Tail > h.Head && (h.LastNS == 0 || end < h.LastNS) {
		h.Mixed = true
	}
	h.Tail, h.LastNS = n+1, end
	e := x.elements.At(x.element(x.at.Hash, x.at.Key, n))
	e.ExpireNS, e.Value = end, v
}

func (x *keyedList[K, V]) clear() {
	h, ok := x.headers.Get(x.at.Hash, x.at.Key)
	if !ok {
		return
	}
	head, tail := h.Head, h.Tail
	for n := head; n < tail; n++ {
		x.elements.Delete(x.element(x.at.Hash, x.at.Key, n))
	}
	x.headers.Delete(x.at.Hash, x.at.Key)
}

// expired removes an element past its time: the head of its list moves over it, and the list goes with its last one.
func (x *keyedList[K, V]) expired(key string) {
	outer, number, err := splitComposite(bytesOf(key))
	if err != nil || len(number) != 8 {
		fail("list element with a key of %d bytes: %w", len(key), codec.ErrDamaged)
	}
	k, err := x.keys.decode(outer)
	if err != nil {
		fail("list element: key: %w", err)
	}
	hash, n := x.keys.hash(k), int64(binary.BigEndian.Uint64(number))
	x.elements.Delete(compositeHash(hash, number), key)
	h, ok := x.headers.Get(hash, k)
	if !ok || n != h.Head {
		return
	}
	tail := h.Tail
	for n++; n < tail && !x.present(hash, k, n); n++ { // some behind it may have been removed before it
	}
	if n == tail {
		x.headers.Delete(hash, k)
		return
	}
	x.headers.At(hash, k).Head = n
}

func (x *keyedList[K, V]) present(hash uint64, k K, n int64) bool {
	_, ok := x.elements.Get(x.element(hash, k, n))
	return ok
}
