package state

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// Every key comes back as it went in, and two keys that differ have different words.
func TestInlineKeysAreExact(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	seen := map[arenaKey]string{}
	for n := 0; n <= inlineMax; n++ {
		for range 2000 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(rng.IntN(3)) // few values, so that keys are near each other and zero bytes are many
			}
			k := inlineKey(string(b))
			if old, ok := seen[k]; ok && old != string(b) {
				t.Fatalf("seed %d: %q and %q have the same words", seed, old, b)
			}
			seen[k] = string(b)
			if got := string(k.bytes(nil, []byte("x"))); got != "x"+string(b) || k.far() || k.len() != n {
				t.Fatalf("seed %d: %q came back as %q, far %t, length %d", seed, b, got, k.far(), k.len())
			}
		}
	}
}

// What a look-up reads of a part must lie within two cache lines: a job with many key groups reads parts at random.
func TestALookUpReadsTwoLinesOfAPart(t *testing.T) {
	const line = 64
	var p part
	if n := unsafe.Sizeof(p); n%line != 0 {
		t.Errorf("a part is %d bytes, want a multiple of %d; change partPad", n, line)
	}
	if end := unsafe.Offsetof(p.sl) + unsafe.Offsetof(p.sl.status) + unsafe.Sizeof(p.sl.status); end > 2*line {
		t.Errorf("the statuses end at byte %d, want at most %d", end, 2*line)
	}
}

// An entry with a short key and a value of 16 bytes must not lie across two cache lines: the look-up reads the key, the operator
// writes the value.
func TestAnEntryLiesWithinOneLine(t *testing.T) {
	const line = 64
	if n := unsafe.Sizeof(typed[[2]int64]{}); line%n != 0 {
		t.Errorf("an entry is %d bytes, want a divisor of %d", n, line)
	}
}
