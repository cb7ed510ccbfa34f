package state

import (
	"unsafe"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// scan goes through the store, in the order of the keys in it: each group's stale entries are written back first. f gets
// canonical bytes.
func (t *paged) scan(cur *Cursor, n int, f func(key []byte, v unsafe.Pointer)) (more bool) {
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

func (t *paged) scanPart(cur *Cursor, n *int, f func(key []byte, v unsafe.Pointer)) (more bool) {
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
func (t *paged) visit(g int, key, value []byte, f func(key []byte, v unsafe.Pointer)) error {
	h, err := t.hot.keys.hash(key)
	if err != nil {
		return err
	}
	k := stringOf(key)
	if _, pos, ok := t.hot.find(g, h, t.hot.wanted(h, k), k); ok {
		f(key, t.hot.read(g, pos))
		return nil
	}
	v := t.seen.value()
	t.hot.shape.clear(v)
	if err := t.hot.shape.decode(value, v); err != nil {
		return err
	}
	f(key, v)
	return nil
}

func (t *paged) expire(x expiry, hook func(key string)) {
	t.life, t.hook, t.mortal = x, hook, x.ttl > 0
}

// cleanUp looks at some entries more, all round the table: a queue of deadlines would have to hold every key in memory.
func (t *paged) cleanUp(n int) (removed int) {
	if t.life.instant == nil || !t.mortal {
		return 0
	}
	var expired []string
	now := t.hot.s.o.Clock.NowNS
	more := t.scan(&t.cleaning, n, func(key []byte, v unsafe.Pointer) {
		if end := t.life.instant(v); end != 0 && end <= now {
			expired = append(expired, string(key))
		}
	})
	if !more {
		t.cleaning = Cursor{}
	}
	for _, k := range expired {
		if t.hook != nil {
			t.hook(k)
			continue
		}
		h, err := t.hot.keys.hash(bytesOf(k))
		if err != nil {
			t.fail("clean", t.cleaning.group, err)
		}
		t.delete(h, k)
	}
	return len(expired)
}

func (t *paged) restore(group flow.KeyGroup, _ int, data []byte) error {
	g := int(group) - t.hot.lo
	return eachEntry(data, func(key, value []byte, deleted bool) error {
		t.ready()
		h, want, err := t.hot.restoredKey(group, key)
		if err != nil {
			return err
		}
		k := stringOf(key)
		if deleted {
			t.deleteKey(h, k, false)
			return nil
		}
		return t.restorePut(g, h, want, k, value)
	})
}

func (t *paged) restorePut(g int, h uint64, want arenaKey, key string, value []byte) error {
	slot, pos, ok := t.hot.find(g, h, want, key)
	if !ok {
		stored := t.inStore(g, key)
		pos, _ = t.hot.add(g, slot, h, t.hot.keep(&t.hot.parts[g], want, key))
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
	v := sl.at(pos).value()
	if err := t.hot.shape.decode(value, v); err != nil {
		return err
	}
	t.mortal = t.mortal || t.life.instant != nil && t.life.instant(v) != 0
	return nil
}

func (t *paged) restored() error                      { return nil }
func (t *paged) id() (operator, name string)          { return t.hot.id() }
func (t *paged) describe() delta.Schema               { return t.hot.describe() }
func (t *paged) freeze()                              { t.hot.freeze() }
func (t *paged) step(n int) int                       { return t.hot.step(n) }
func (t *paged) take(dst []delta.Block) []delta.Block { return t.hot.take(dst) }
func (t *paged) entries() int                         { return t.total }
func (t *paged) bytes() int64                         { return t.hot.bytes() }
