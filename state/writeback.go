package state

import "strings"

// batch collects writes whose bytes lie in one buffer.
type batch struct {
	writes []Write
	sizes  [][2]int // of the keys and values in data, in the order of writes
	data   []byte
}

func (b *batch) add(w Write, key string, value []byte) {
	b.writes = append(b.writes, w)
	b.sizes = append(b.sizes, [2]int{len(key), len(value)})
	b.data = append(append(b.data, key...), value...)
}

// ready points the writes at their bytes, which do not move any more.
func (b *batch) ready() []Write {
	rest := b.data
	for i, size := range b.sizes {
		w := &b.writes[i]
		w.Key, rest = rest[:size[0]:size[0]], rest[size[0]:]
		w.Value, rest = rest[:size[1]:size[1]], rest[size[1]:]
	}
	return b.writes
}

func (b *batch) reset() {
	clear(b.writes)
	b.writes, b.sizes, b.data = b.writes[:0], b.sizes[:0], b.data[:0]
}

// deletion is a key that the store has to forget.
type deletion struct {
	part int
	key  string
}

// forget deletes a stored key from the store, later: deletions wait for a batch.
func (t *paged) forget(g int, key string) {
	t.stored[g]--
	t.deletes[deletion{g, strings.Clone(key)}] = struct{}{}
	if len(t.deletes) >= evictMax {
		t.tellDeletes()
		t.write()
	}
}

func (t *paged) forgotten(g int, key string) bool {
	if len(t.deletes) == 0 {
		return false
	}
	_, ok := t.deletes[deletion{g, key}]
	return ok
}

// tellDeletes begins a batch with the deletions that are pending.
func (t *paged) tellDeletes() {
	for d := range t.deletes { // their order reaches no output
		t.batch.add(Write{Group: t.group(d.part), Delete: true}, d.key, nil)
	}
	clear(t.deletes)
}

// write sends the batch.
func (t *paged) write() {
	if len(t.batch.writes) == 0 {
		return
	}
	if err := t.store.Write(t.batch.ready()); err != nil {
		fail("operator %q: state %q: write %d entries to byte store: %w", t.hot.operator, t.hot.name, len(t.batch.writes), err)
	}
	t.batch.reset()
}

// writeBackAll makes the store complete for one part; the entries stay in the cache.
func (t *paged) writeBackAll(g int) {
	t.tellDeletes()
	p := &t.hot.parts[g]
	for pos := range p.sl.n {
		st := &p.sl.status[pos]
		if st.marks&(markLive|markStale) != markLive|markStale {
			continue
		}
		t.hot.valueBuf = t.hot.shape.append(t.hot.valueBuf[:0], p.sl.at(pos).value())
		t.writeBack(g, p.ar.get(p.sl.at(pos).key.ref()), st)
		if len(t.batch.writes) >= evictMax {
			t.write()
		}
	}
	t.write()
}
