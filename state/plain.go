package state

import (
	"fmt"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// plain is the table of keys without pointers, which stand in the entries as they are.
type plain[K comparable, V any] struct {
	core[K, V]
	keys keying[K]
	hook func(key K)
}

func newPlain[K comparable, V any](s *Store, operator, name string, keys keying[K], values valuing[V]) *plain[K, V] {
	t := &plain[K, V]{keys: keys}
	t.init(s, operator, name, values, keys.schema)
	t.appendKey = func(dst []byte, _ *part[K, V], k K) []byte { return keys.append(dst, k) }
	t.hashOf = func(_ *part[K, V], k K) uint64 { return keys.hash(k) }
	return t
}

func (t *plain[K, V]) At(h uint64, k K) *V {
	g := t.partOf(h)
	p := &t.parts[g]
	for i := h >> 32 & p.ix.mask; ; i = (i + 1) & p.ix.mask {
		s := p.ix.slots[i]
		if s == 0 {
			_, e := t.insert(g, i, h, k)
			return &e.val
		}
		if s>>32 == h>>32 {
			if e := p.sl.at(uint32(s) - 1); e.key == k {
				if p.sl.status[uint32(s)-1].epoch != t.epoch {
					t.firstWrite(g, uint32(s)-1)
				}
				return &e.val
			}
		}
	}
}

func (t *plain[K, V]) AtNew(h uint64, k K) (v *V, fresh bool) {
	n := t.n
	v = t.At(h, k)
	return v, t.n != n
}

// find is the slot of k and its position, or the empty slot where the search ended.
func (t *plain[K, V]) find(g int, h uint64, k K) (slot uint64, pos uint32, ok bool) {
	p := &t.parts[g]
	for i := h >> 32 & p.ix.mask; ; i = (i + 1) & p.ix.mask {
		s := p.ix.slots[i]
		if s == 0 {
			return i, 0, false
		}
		if s>>32 == h>>32 && p.sl.at(uint32(s)-1).key == k {
			return i, uint32(s) - 1, true
		}
	}
}

func (t *plain[K, V]) Get(h uint64, k K) (*V, bool) {
	g := t.partOf(h)
	_, pos, ok := t.find(g, h, k)
	if !ok {
		return nil, false
	}
	return t.read(g, pos), true
}

func (t *plain[K, V]) Delete(h uint64, k K) bool {
	g := t.partOf(h)
	i, pos, ok := t.find(g, h, k)
	if ok {
		t.remove(g, i, pos)
	}
	return ok
}

func (t *plain[K, V]) Scan(cursor *Cursor, n int, f func(key K, v *V)) bool {
	return t.scan(cursor, n, func(_ *part[K, V], e *entry[K, V]) { f(e.key, &e.val) })
}

func (t *plain[K, V]) expire(x expiry[V], hook func(key K)) { t.expiry, t.hook = x, hook }

func (t *plain[K, V]) cleanUp(n int) int {
	if t.hook == nil {
		return t.clean(n, t.removeAt)
	}
	return t.clean(n, func(at place) {
		e := t.parts[at.part()].sl.at(at.pos())
		t.hook(e.key)
	})
}

func (t *plain[K, V]) restore(group flow.KeyGroup, count int, data []byte) error {
	g := int(group) - t.lo
	t.reserve(g, min(count, len(data)/2))
	return eachEntry(data, func(key, value []byte, deleted bool) error {
		k, err := t.keys.decode(key)
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		h := t.keys.hash(k)
		if flow.GroupOf(h, t.mask+1) != group {
			return errWrongGroup(h, t.mask+1, group)
		}
		i, pos, ok := t.find(g, h, k)
		if deleted {
			if ok {
				t.release(g, i, pos)
			}
			return nil
		}
		if !ok {
			pos, _ = t.add(g, i, h, k)
		}
		return decodeValue(t.values, value, &t.parts[g].sl.at(pos).val)
	})
}

func (t *plain[K, V]) restored() error {
	t.queueRestored()
	return nil
}

// eachEntry calls f with the entries of a block's data.
func eachEntry(data []byte, f func(key, value []byte, deleted bool) error) error {
	for n := 0; len(data) > 0; n++ {
		key, value, deleted, rest, err := delta.Next(data)
		if err == nil {
			err = f(key, value, deleted)
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", n, err)
		}
		data = rest
	}
	return nil
}

func decodeValue[V any](values valuing[V], data []byte, v *V) error {
	rest, err := values.Decode(data, v)
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("value: %d bytes too many: %w", len(rest), codec.ErrDamaged)
	}
	return nil
}

func errWrongGroup(hash uint64, groups int, block flow.KeyGroup) error {
	return fmt.Errorf("key of group %d in a block of group %d: %w", flow.GroupOf(hash, groups), block, delta.ErrDamaged)
}
