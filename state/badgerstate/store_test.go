package badgerstate

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/state"
	"github.com/millrace-io/millrace/state/statetest"
)

func TestConformance(t *testing.T) {
	d := openDB(t, Config{}) // one for all: their stores must not meet
	tasks := 0
	statetest.Run(t, func(testing.TB) state.ByteStores {
		tasks++
		return d.Task(fmt.Sprint("task/", tasks))
	})
}

func TestTasksAndStatesDoNotMeet(t *testing.T) {
	d := openDB(t, Config{})
	names := [][3]string{{"a/0", "count", "n"}, {"a/1", "count", "n"}, {"a/0", "count", "m"}, {"a/0", "counts", "n"}, {"a/0", "count", "n"}}
	stores := make([]state.ByteStore, len(names))
	for i, n := range names {
		stores[i] = openStore(t, d, n[0], n[1], n[2])
		if got := get(t, stores[i], "k"); got != "-" {
			t.Fatalf("%v: a new store has the value %q", n, got)
		}
		put(t, stores[i], "k", fmt.Sprint(i))
	}
	for i, n := range names {
		if got := get(t, stores[i], "k"); got != fmt.Sprint(i) {
			t.Errorf("%v: value %q, want %q", n, got, fmt.Sprint(i))
		}
	}
}

func TestGetAppends(t *testing.T) {
	s := openStore(t, openDB(t, Config{}), "a/0", "count", "n")
	put(t, s, "k", "value")
	put(t, s, "large", strings.Repeat("x", pieceBytes+1))
	for key, want := range map[string]string{"k": "dst-value", "large": "dst-" + strings.Repeat("x", pieceBytes+1), "absent": "dst-"} {
		got, ok, err := s.Get(1, []byte(key), []byte("dst-"))
		if err != nil || string(got) != want || ok != (key != "absent") {
			t.Errorf("%q: got %d bytes, %v, %v; want %d bytes", key, len(got), ok, err, len(want))
		}
	}
}

func TestLongKeys(t *testing.T) {
	s := openStore(t, openDB(t, Config{}), "a/0", "count", "n")
	head := strings.Repeat("k", keyBytesMax)
	keys := []string{head[1:], head, head + "\x00", head + "\x00\x00", head + "a", head + "b" + head, head[1:] + "l"}
	for _, i := range rand.Perm(len(keys)) {
		put(t, s, keys[i], "first")
		put(t, s, keys[i], fmt.Sprint(i))
	}
	for i, k := range keys {
		if got := get(t, s, k); got != fmt.Sprint(i) {
			t.Errorf("key %d has the value %q", i, got)
		}
		var after []string
		if err := s.Scan(1, []byte(k), func(_, v []byte) bool { after = append(after, string(v)); return true }); err != nil {
			t.Fatal(err)
		}
		if want := "123456"[i:]; strings.Join(after, "") != want {
			t.Errorf("after key %d come %v, want %s", i, after, want)
		}
	}
	for _, k := range keys {
		if err := s.Write([]state.Write{{Group: 1, Key: []byte(k), Delete: true}}); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, k); got != "-" {
			t.Errorf("a deleted key of %d bytes has the value %q", len(k), got)
		}
	}
	if err := s.Scan(1, nil, func(k, _ []byte) bool { t.Errorf("a key of %d bytes is left", len(k)); return true }); err != nil {
		t.Fatal(err)
	}
}

// A cursor that is moved on by f must not move under the scan.
func TestScanWhileAfterIsReused(t *testing.T) {
	s := openStore(t, openDB(t, Config{}), "a/0", "count", "n")
	want := []string{"a", "ab", "abc", "b", "bb", "bbc"}
	for _, k := range want {
		put(t, s, k, k)
	}
	after, seen := []byte("aac"), []string{"a"}
	err := s.Scan(1, after, func(key, _ []byte) bool {
		seen = append(seen, string(key))
		after = append(after[:0], "abc"...)
		return true
	})
	if !slices.Equal(seen, want) || err != nil {
		t.Errorf("saw %q, %v; want %q", seen, err, want)
	}
}

func TestDamagedBundle(t *testing.T) {
	good := bundle(nil).append([]byte("tail"), []byte("value"))
	for n := 1; n < len(good); n++ {
		if _, _, err := good[:n].find([]byte("other")); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%d of %d bytes: %v", n, len(good), err)
		}
		if _, err := good[:n].with([]byte("other"), nil, false); err == nil {
			t.Errorf("%d of %d bytes were changed without an error", n, len(good))
		}
	}
}

// Values in pieces must not pile up on disk when they are replaced.
func TestPiecesAreDropped(t *testing.T) {
	s := openStore(t, openDB(t, Config{}), "a/0", "count", "n").(*store)
	for i := range 3 {
		put(t, s, "k", strings.Repeat(fmt.Sprint(i), 3*pieceBytes))
		if got := get(t, s, "k"); got != strings.Repeat(fmt.Sprint(i), 3*pieceBytes) {
			t.Fatalf("%d: value of %d bytes", i, len(got))
		}
	}
	put(t, s, "k", "small")
	if err := s.writes.settle(); err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= 9; n++ {
		if item, err := s.read.Get(pieceKey(nil, s.large.id, n)); err == nil {
			t.Errorf("piece %d is still there, %v", n, item)
		}
	}
	if len(s.large.values) != 0 {
		t.Errorf("%d large values are remembered", len(s.large.values))
	}
}

// model is the plain Go twin of some stores.
type model struct {
	stores []state.ByteStore
	values []map[flow.KeyGroup]map[string][]byte
}

const modelGroups, modelKeys = 3, 60

func (m *model) write(r *rand.Rand, i int) error {
	batch := make([]state.Write, r.IntN(40))
	for b := range batch {
		w := state.Write{Group: flow.KeyGroup(r.IntN(modelGroups) << 7), Key: modelKey(r), Delete: r.IntN(4) == 0}
		if !w.Delete {
			size := r.IntN(50)
			if r.IntN(200) == 0 {
				size = r.IntN(3 * pieceBytes)
			}
			w.Value = bytes.Repeat([]byte{byte(r.Uint32())}, size)
		}
		batch[b] = w
		group := m.values[i][w.Group]
		if group == nil {
			group = map[string][]byte{}
			m.values[i][w.Group] = group
		}
		if delete(group, string(w.Key)); !w.Delete {
			group[string(w.Key)] = bytes.Clone(w.Value)
		}
	}
	err := m.stores[i].Write(batch)
	for _, w := range batch { // the store keeps none of the slices
		clear(w.Key)
		clear(w.Value)
	}
	return err
}

// modelKey is one of few keys, prefixes of each other among them, the empty one and long ones.
func modelKey(r *rand.Rand) []byte {
	k := r.IntN(modelKeys)
	if k == 0 {
		return append(make([]byte, keyBytesMax-1), make([]byte, r.IntN(4))...)
	}
	return bytes.Repeat([]byte{0, 255, byte(k)}, 3)[:k%8]
}

func (m *model) get(t *testing.T, r *rand.Rand, i int) {
	g, key := flow.KeyGroup(r.IntN(modelGroups)<<7), modelKey(r)
	want, has := m.values[i][g][string(key)]
	got, ok, err := m.stores[i].Get(g, key, nil)
	if err != nil || ok != has || !bytes.Equal(got, want) {
		t.Fatalf("store %d, group %d, key %x: %d bytes, %v, %v; want %d bytes, %v", i, g, key, len(got), ok, err, len(want), has)
	}
}

func (m *model) scan(t *testing.T, r *rand.Rand, i int) {
	g := flow.KeyGroup(r.IntN(modelGroups) << 7)
	var after []byte
	want := slices.Sorted(maps.Keys(m.values[i][g]))
	if r.IntN(2) == 0 {
		after = modelKey(r)
		want = slices.DeleteFunc(want, func(k string) bool { return k <= string(after) })
	}
	want = want[:min(len(want), 1+r.IntN(modelKeys))]
	var got []string
	err := m.stores[i].Scan(g, after, func(key, value []byte) bool {
		if got = append(got, string(key)); !bytes.Equal(value, m.values[i][g][string(key)]) {
			t.Fatalf("store %d, group %d, scan, key %x: value of %d bytes, want %d", i, g, key, len(value), len(m.values[i][g][string(key)]))
		}
		return len(got) < len(want)
	})
	if len(want) == 0 && len(got) > 0 || len(want) > 0 && !slices.Equal(got, want) || err != nil {
		t.Fatalf("store %d, group %d, scan after %x: keys %x, %v; want %x", i, g, after, got, err, want)
	}
}

func TestAgainstModel(t *testing.T) {
	r := random(t)
	d := openDB(t, Config{})
	m := &model{}
	for i := range 3 {
		m.stores = append(m.stores, openStore(t, d, fmt.Sprint("a/", i%2), "op", fmt.Sprint(i)))
		m.values = append(m.values, map[flow.KeyGroup]map[string][]byte{})
	}
	for range invariants.Sized(3000, 1000) {
		i := r.IntN(len(m.stores))
		switch r.IntN(4) {
		case 0:
			if err := m.write(r, i); err != nil {
				t.Fatal(err)
			}
		case 1:
			m.scan(t, r, i)
		default:
			m.get(t, r, i)
		}
	}
}

// Overwrites and deletions hold while memtables are flushed and tables are compacted.
func TestChurn(t *testing.T) {
	r := random(t)
	d := openDB(t, Config{CacheBytes: 1})
	s := openStore(t, d, "a/0", "op", "s")
	const keys = 3000                  // values of 1 KB: most of a memtable
	rounds := invariants.Sized(40, 15) // so many memtables are more than level 0 takes
	want := make([]byte, keys)
	for round := range rounds {
		batch := make([]state.Write, 0, keys)
		for k := range want {
			if r.IntN(3) == 0 {
				continue
			}
			want[k] = byte(r.IntN(4))
			batch = append(batch, state.Write{Key: fmt.Append(nil, k), Value: bytes.Repeat(want[k:k+1], 1000), Delete: want[k] == 0})
		}
		if err := s.Write(batch); err != nil {
			t.Fatal(err)
		}
		for range 300 {
			k := r.IntN(keys)
			v, ok, err := s.Get(0, fmt.Append(nil, k), nil)
			if err != nil || ok != (want[k] != 0) || ok && !bytes.Equal(v, bytes.Repeat(want[k:k+1], 1000)) {
				t.Fatalf("round %d, key %d: %d bytes, %v, %v; want %d", round, k, len(v), ok, err, want[k])
			}
		}
	}
	if tables := d.badger.Tables(); len(tables) == 0 {
		t.Error("no memtable was flushed, so this test has shown nothing")
	}
}
