package badgerstate

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

const benchBatch = 256

// benchKey is the i-th of the keys: 16 bytes in no order, spread over the groups.
func benchKey(dst []byte, i uint64) (flow.KeyGroup, []byte) {
	h := i * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 32
	dst = binary.BigEndian.AppendUint64(dst, h)
	return flow.KeyGroup(h % flow.DefaultKeyGroups), binary.BigEndian.AppendUint64(dst, i)
}

// load writes keys [0, n) with values of 32 bytes, in batches, as a restore does.
func load(tb testing.TB, s state.ByteStore, n int) {
	tb.Helper()
	batch := make([]state.Write, 0, benchBatch)
	buf := make([]byte, 0, benchBatch*48)
	for i := range n {
		at := len(buf)
		g, b := benchKey(buf, uint64(i))
		buf = append(b, make([]byte, 32)...)
		binary.LittleEndian.PutUint64(buf[at+16:], uint64(i))
		batch = append(batch, state.Write{Group: g, Key: buf[at : at+16], Value: buf[at+16 : at+48]})
		if len(batch) == benchBatch || i == n-1 {
			if err := s.Write(batch); err != nil {
				tb.Fatal(err)
			}
			batch, buf = batch[:0], buf[:0]
		}
	}
}

func benchStore(b *testing.B) state.ByteStore {
	d, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.Close(); err != nil {
			b.Error(err)
		}
	})
	s, err := d.Task("count/0").Open("count", "n")
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkLoad is a restore; run it with -benchtime=1000000x.
func BenchmarkLoad(b *testing.B) {
	s := benchStore(b)
	b.ResetTimer()
	load(b, s, b.N)
	if _, _, err := s.Get(0, []byte("absent"), nil); err != nil { // waits for the writes on their way
		b.Fatal(err)
	}
}

// BenchmarkGet reads present keys of a million in random order.
func BenchmarkGet(b *testing.B) {
	s := benchStore(b)
	const n = 1_000_000
	load(b, s, n)
	r := rand.New(rand.NewPCG(1, 2))
	var key, dst []byte
	b.ResetTimer()
	for b.Loop() {
		var g flow.KeyGroup
		g, key = benchKey(key[:0], r.Uint64N(n))
		v, ok, err := s.Get(g, key, dst[:0])
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		dst = v
	}
}

// BenchmarkGetAbsent reads keys that are not there.
func BenchmarkGetAbsent(b *testing.B) {
	s := benchStore(b)
	const n = 1_000_000
	load(b, s, n)
	var key []byte
	i := uint64(n)
	b.ResetTimer()
	for b.Loop() {
		var g flow.KeyGroup
		g, key = benchKey(key[:0], i)
		i++
		if _, ok, err := s.Get(g, key, nil); err != nil || ok {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkUpdate reads a batch of 256 random keys of a million and writes it back; an op is one key.
func BenchmarkUpdate(b *testing.B) {
	s := benchStore(b)
	const n = 1_000_000
	load(b, s, n)
	r := rand.New(rand.NewPCG(1, 2))
	batch := make([]state.Write, benchBatch)
	b.ResetTimer()
	for done := 0; done < b.N; done += benchBatch {
		for i := range batch {
			w := &batch[i]
			w.Group, w.Key = benchKey(w.Key[:0], r.Uint64N(n))
			v, ok, err := s.Get(w.Group, w.Key, w.Value[:0])
			if err != nil || !ok {
				b.Fatal(ok, err)
			}
			v[31]++
			w.Value = v
		}
		if err := s.Write(batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScan reads a million keys group by group; an op is one key.
func BenchmarkScan(b *testing.B) {
	s := benchStore(b)
	const n = 1_000_000
	load(b, s, n)
	b.ResetTimer()
	for seen := 0; seen < b.N; {
		for g := range flow.KeyGroup(flow.DefaultKeyGroups) {
			if err := s.Scan(g, nil, func([]byte, []byte) bool { seen++; return true }); err != nil {
				b.Fatal(err)
			}
		}
	}
}
