package dirstore_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/checkpoint/dirstore"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

const benchGroups = flow.DefaultKeyGroups

// entries makes blocks of n entries, one key each from first on: 16-byte keys, 8-byte values, spread over all key groups.
func entries(first, n int) []delta.Block {
	blocks := make([]delta.Block, benchGroups)
	for g := range blocks {
		blocks[g] = delta.Block{Operator: "count", State: "n", Group: flow.KeyGroup(g)}
	}
	key, value := make([]byte, 16), make([]byte, 8)
	for i := first; i < first+n; i++ {
		binary.LittleEndian.PutUint64(key, uint64(i)*0x9e3779b97f4a7c15)
		binary.LittleEndian.PutUint64(value, uint64(i))
		b := &blocks[i%benchGroups]
		b.Data = delta.AppendPut(b.Data, key, value)
		b.Count++
	}
	return blocks
}

func begin(b *testing.B, dir string, bound int64) (*checkpoint.Log, *dirstore.Store) {
	b.Helper()
	s, err := dirstore.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	l, err := checkpoint.Open(b.Context(), checkpoint.Options{Store: s, Job: "bench", InlineBytes: bound, Plan: checkpoint.Plan{
		Operators: []string{"count"}, Schemas: []delta.Schema{{Operator: "count", State: "n", Key: `"string"`, Value: `"long"`}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := l.Begin(b.Context()); err != nil {
		b.Fatal(err)
	}
	return l, s
}

func complete(b *testing.B, l *checkpoint.Log, e int, blocks []delta.Block) {
	b.Helper()
	if err := l.Complete(b.Context(), flow.Epoch(e), blocks, nil); err != nil {
		b.Fatal(err)
	}
}

// benchComplete measures epochs with n changed entries, all syncs included, whose segments up to bound are inline.
func benchComplete(b *testing.B, n int, bound int64) {
	l, s := begin(b, b.TempDir(), bound)
	blocks := entries(0, n)
	b.ReportAllocs()
	e := 0
	var took []time.Duration
	for b.Loop() {
		e++
		start := time.Now()
		complete(b, l, e, blocks)
		took = append(took, time.Since(start))
		b.StopTimer()
		if err := l.MoveHead(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if e%8 == 0 {
			b.StopTimer()
			if err := l.Fold(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(l.Stats().SegmentBytes), "bytes/epoch")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkComplete(b *testing.B) {
	for _, n := range []int{0, 1, 1000, 2400, 5000, 10_000, 50_000} {
		for form, bound := range map[string]int64{"file": -1, "inline": 1 << 30} {
			b.Run(fmt.Sprintf("%d/%s", n, form), func(b *testing.B) { benchComplete(b, n, bound) })
		}
	}
}

// BenchmarkFold1M merges a base of 1 M keys with seven runs that change each key once: 2 M entries in, 1 M out.
func BenchmarkFold1M(b *testing.B) {
	const keys, deltas = 1_000_000, 7
	base := entries(0, keys)
	b.ReportAllocs()
	var spent time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		l, s := begin(b, b.TempDir(), 0)
		complete(b, l, 1, base)
		for i := range deltas {
			complete(b, l, 2+i, entries(i*keys/deltas, keys/deltas+1))
		}
		b.StartTimer()
		if err := l.Fold(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if st := l.Stats(); st.Folds != 1 || st.Runs != 1 {
			b.Fatalf("%+v", st)
		}
		spent += l.Stats().FoldDuration
		n++
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(n*2*keys), "ns/entry")
}

// BenchmarkRestore1M reads 1 M keys back, checksums and hashes verified.
func BenchmarkRestore1M(b *testing.B) {
	const keys = 1_000_000
	l, s := begin(b, b.TempDir(), 0)
	complete(b, l, 1, entries(0, keys))
	b.SetBytes(l.Stats().TotalBytes)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := l.Restore(b.Context(), func(blk delta.Block) error { n += blk.Count; return nil }); err != nil || n != keys {
			b.Fatalf("%d entries, %v", n, err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
