package codec

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// A number is written as binary.AppendVarint writes it, whatever its width.
func TestAppendLongIsAVarint(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for width := range 65 {
		for range 100 {
			v := int64(r.Uint64() >> (64 - width))
			for _, v := range []int64{v, -v, int64(uint64(1)<<width>>1) - 1, int64(uint64(1) << width >> 1)} {
				got, want := appendLong([]byte{7}, v), binary.AppendVarint([]byte{7}, v)
				if !bytes.Equal(got, want) {
					t.Fatalf("%d: %x, want %x; seed %d", v, got, want, seed)
				}
			}
		}
	}
}
