package state

import (
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
)

// keyed is an arenaTable seen with keys of K: strings, and keys that are told apart by their canonical bytes. One type for both
// halves what the compiler makes for each pair of K and V.
type keyed[K comparable, V any] struct {
	arenaTable[V]
	keys    keying[K]
	hook    func(key K)
	scratch []byte
}

func (t *keyed[K, V]) prepare(s *Store, operator, name string, keys keying[K], values valuing[V]) {
	t.keys, t.inline = keys, keys.inline
	t.initArena(s, operator, name, keys.schema, keys.hashBytes, values)
}

// key is the key that an entry stands for. Bytes in the arena are never overwritten, so a string may view them; a key that
// stands in its entry is copied.
func (t *keyed[K, V]) key(p *part[arenaKey, V], key arenaKey) K {
	if t.keys.form == codec.KeyString {
		if !key.far() {
			return asKey[K](string(key.bytes(&p.ar, nil)))
		}
		return asKey[K](p.ar.get(key.ref()))
	}
	var buf [inlineMax + 1]byte
	k, err := t.keys.decode(key.bytes(&p.ar, buf[:0]))
	if err != nil {
		fail("operator %q: state %q: key in memory: %w", t.operator, t.name, err)
	}
	return k
}

func (t *keyed[K, V]) Scan(cursor *Cursor, n int, f func(key K, v *V)) bool {
	return t.scan(cursor, n, func(p *part[arenaKey, V], e *entry[arenaKey, V]) { f(t.key(p, e.key), &e.val) })
}

func (t *keyed[K, V]) expire(x expiry[V], hook func(key K)) { t.expiry, t.hook = x, hook }

func (t *keyed[K, V]) cleanUp(n int) int {
	if t.hook == nil {
		return t.clean(n, t.removeAt)
	}
	return t.clean(n, func(at place) {
		p := &t.parts[at.part()]
		e := p.sl.at(at.pos())
		t.hook(t.key(p, e.key))
	})
}

func (t *keyed[K, V]) restore(group flow.KeyGroup, count int, data []byte) error {
	return t.restoreBytes(group, count, data, t.keys.hashBytes)
}

func (t *keyed[K, V]) restored() error {
	t.queueRestored()
	return nil
}

// view is the bytes of a key, good until the next call. A string K has the memory of a string, so no key is copied to be looked up.
func (t *keyed[K, V]) view(k K) string {
	if t.keys.form == codec.KeyString {
		return asString(k)
	}
	t.scratch = t.keys.append(t.scratch[:0], k)
	return stringOf(t.scratch)
}

func (t *keyed[K, V]) At(h uint64, k K) *V          { return t.at(h, t.view(k)) }
func (t *keyed[K, V]) Get(h uint64, k K) (*V, bool) { return t.get(h, t.view(k)) }
func (t *keyed[K, V]) Delete(h uint64, k K) bool    { return t.deleteKey(h, t.view(k)) }

func (t *keyed[K, V]) AtNew(h uint64, k K) (v *V, fresh bool) {
	n := t.n
	v = t.at(h, t.view(k))
	return v, t.n != n
}
