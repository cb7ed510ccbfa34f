package state

import (
	"strconv"
	"testing"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
)

// A prefetcher reads the operator's own tables by the record's key, of those large enough alone, and changes nothing.
func TestPrefetchReadsOnly(t *testing.T) {
	groups := flow.GroupRange{Lo: 0, Hi: flow.DefaultKeyGroups}
	s := NewStore(Options{Groups: groups})
	table, err := NewTable[string, int64](s, "count", "n")
	if err != nil {
		t.Fatal(err)
	}
	at := &At[string]{}
	if _, err := NewMap[int64, int64](s, at, "map", "m", Forever); err != nil {
		t.Fatal(err)
	}
	key, err := codec.KeyOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	var hashes []uint64
	for i := range 2 * prefetchFrom {
		hashes = append(hashes, key.Hash(strconv.Itoa(i)))
	}
	if s.Prefetcher("other") != nil {
		t.Error("an operator without states has something to prefetch")
	}
	if s.Prefetcher("map") == nil {
		t.Error("the header of a map is found by the record's key, but is not prefetched")
	}
	prefetch, offsets := s.Prefetcher("count"), []uintptr{0, 7, 8}
	prefetch(hashes, offsets) // of an empty table
	for i, h := range hashes {
		*table.At(h, strconv.Itoa(i)) = int64(i)
	}
	s.Freeze()
	prefetch(hashes, offsets)
	if table.Len() != len(hashes) {
		t.Fatalf("%d entries, want %d", table.Len(), len(hashes))
	}
	for i, h := range hashes {
		if v, ok := table.Get(h, strconv.Itoa(i)); !ok || *v != int64(i) {
			t.Fatalf("key %d has %v, %t", i, v, ok)
		}
	}
	if s.Step(2 * len(hashes)); len(s.Take()) != groups.Len() {
		t.Error("not every key group is in the snapshot")
	}
	if n := testing.AllocsPerRun(10, func() { prefetch(hashes, offsets) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Composite keys have hashes of their own: only the header of a map is found by the record's.
func TestPrefetchLeavesCompositeKeys(t *testing.T) {
	s := NewStore(Options{Groups: flow.GroupRange{Lo: 0, Hi: flow.DefaultKeyGroups}})
	at := &At[string]{}
	if _, err := NewMap[int64, int64](s, at, "op", "m", Forever); err != nil {
		t.Fatal(err)
	}
	byRecord := 0
	for _, x := range s.states {
		if c, ok := x.(*core); ok && c.keys.byRecord {
			byRecord++
		}
	}
	if len(s.states) != 2 || byRecord != 1 {
		t.Errorf("%d of %d states are found by the record's key, want 1 of 2", byRecord, len(s.states))
	}
}
