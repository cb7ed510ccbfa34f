package state

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// Scan goes through the store, in the order of the keys in it: each group's stale entries are written back first.
func (t *paged[K, V]) Scan(cur *Cursor, n int, f func(key K, v *V)) (more bool) {
	t.ready()
	for ; cur.group < len(t.hot.parts); *cur = (Cursor{group: cur.group + 1}) {
		if !cur.begun {
			t.writeBackAll(cur.group)
			cur.begun = true
		}
		if t.scanPart(cur, &n, f) {
			return true
		}
	}
	return false
}

func (t *paged[K, V]) scanPart(cur *Cursor, n *int, f func(key K, v *V)) (more bool) {
	t.tellDeletes()
	t.write()
	g := cur.group
	if t.stored[g] == 0 {
		return false
	}
	var bad error
	err := t.store.Scan(t.group(g), cur.after, func(key, value []byte) bool {
		if more = *n == 0; more {
			return false
		}
		*n--
		if cur.after == nil {
			cur.after = make([]byte, 0, len(key)) // an empty key is not no key
		}
		cur.after = append(cur.after[:0], key...)
		bad = t.visit(g, key, value, f)
		return bad == nil
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		t.fail("scan", g, err)
	}
	return more
}

// visit shows one stored entry, with the value of the cache when that has one.
func (t *paged[K, V]) visit(g int, key, value []byte, f func(key K, v *V)) error {
	k, err := t.keys.decode(key)
	if err != nil {
		return err
	}
	if _, pos, ok := t.hot.find(g, t.keys.hash(k), stringOf(key)); ok {
		f(k, t.hot.read(g, pos))
		return nil
	}
	var v V
	if err := decodeValue(t.hot.values, value, &v); err != nil {
		return err
	}
	f(k, &v)
	return nil
}

func (t *paged[K, V]) expire(x expiry[V], hook func(key K)) {
	t.life, t.hook, t.mortal = x, hook, x.ttl > 0
}

// cleanUp looks at some entries more, all round the table: a queue of deadlines would have to hold every key in memory.
func (t *paged[K, V]) cleanUp(n int) (removed int) {
	if t.life.instant == nil || !t.mortal {
		return 0
	}
	var expired []K
	now := t.hot.s.o.Clock.NowNS
	more := t.Scan(&t.cleaning, n, func(k K, v *V) {
		if end := t.life.instant(v); end != 0 && end <= now {
			expired = append(expired, k)
		}
	})
	if !more {
		t.cleaning = Cursor{}
	}
	for _, k := range expired {
		if t.hook != nil {
			t.hook(k)
		} else {
			t.Delete(t.keys.hash(k), k)
		}
	}
	return len(expired)
}

func (t *paged[K, V]) restore(group flow.KeyGroup, _ int, data []byte) error {
	g := int(group) - t.hot.lo
	return eachEntry(data, func(key, value []byte, deleted bool) error {
		t.ready()
		h, err := t.hot.hashRestored(group, key, t.keys.hashBytes)
		if err != nil {
			return err
		}
		k := stringOf(key)
		if deleted {
			t.deleteKey(h, k, false)
			return nil
		}
		return t.restorePut(g, h, k, value)
	})
}

func (t *paged[K, V]) restorePut(g int, h uint64, key string, value []byte) error {
	slot, pos, ok := t.hot.find(g, h, key)
	if !ok {
		stored := t.inStore(g, key)
		pos, _ = t.hot.add(g, slot, h, t.hot.keep(&t.hot.parts[g], h, key))
		if stored {
			t.hot.parts[g].sl.status[pos].marks |= markStored
		} else {
			t.total++
		}
		t.account()
	}
	sl := &t.hot.parts[g].sl
	sl.status[pos].marks |= markStale
	t.hot.measure(len(value))
	if err := decodeValue(t.hot.values, value, &sl.at(pos).val); err != nil {
		return err
	}
	t.mortal = t.mortal || t.life.instant != nil && t.life.instant(&sl.at(pos).val) != 0
	return nil
}

func (t *paged[K, V]) restored() error                      { return nil }
func (t *paged[K, V]) id() (operator, name string)          { return t.hot.id() }
func (t *paged[K, V]) describe() delta.Schema               { return t.hot.describe() }
func (t *paged[K, V]) freeze()                              { t.hot.freeze() }
func (t *paged[K, V]) step(n int) int                       { return t.hot.step(n) }
func (t *paged[K, V]) take(dst []delta.Block) []delta.Block { return t.hot.take(dst) }
func (t *paged[K, V]) entries() int                         { return t.total }
func (t *paged[K, V]) bytes() int64                         { return t.hot.bytes() }
