package codec_test

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/invariants"
)

func isDamaged(err error) bool { return errors.Is(err, codec.ErrDamaged) }

func long(v int64) string { return string(binary.AppendVarint(nil, v)) }

func decodeError[T any](t *testing.T, src, want string) {
	t.Helper()
	var v T
	_, err := derive[T](t).Decode([]byte(src), &v)
	if !isDamaged(err) {
		t.Fatalf("%T from %q: got %+v, error %v, want ErrDamaged", v, src, v, err)
	}
	if want += ": encoded bytes are damaged"; err.Error() != want {
		t.Errorf("%T from %q:\ngot  %s\nwant %s", v, src, err, want)
	}
}

func TestDamaged(t *testing.T) {
	decodeError[int](t, "", "number ends early, after 0 bytes")
	decodeError[int](t, "\xff", "number ends early, after 1 bytes")
	decodeError[int](t, strings.Repeat("\xff", 10)+"\x01", "number has more than 64 bits")
	decodeError[int](t, "\x80\x00", "number of 2 bytes is padded")
	decodeError[int8](t, long(128), "number 128 does not fit int8")
	decodeError[uint32](t, long(-1), "number -1 does not fit uint32")
	decodeError[bool](t, "\x02", "bool is 2, want 0 or 1")
	decodeError[bool](t, "", "bool is missing")
	decodeError[float32](t, "abc", "float has 3 bytes, want 4")
	decodeError[float64](t, "abc", "double has 3 bytes, want 8")
	decodeError[string](t, long(5)+"abc", "length is 5, but 3 bytes are left")
	decodeError[string](t, long(-1)+"abc", "length is -1, but 3 bytes are left")
	decodeError[[]byte](t, long(math.MaxInt64), "length is 9223372036854775807, but 0 bytes are left")
	decodeError[[4]byte](t, "abc", "fixed has 3 bytes, want 4")
	decodeError[*int](t, long(2), "branch is 2, want 0 (null) or 1 (value)")
	decodeError[*[1 << 20]float64](t, long(1)+"abc", "value has 3 bytes, want at least 8388609")
	decodeError[[]int](t, long(4)+"abc", "count is 4, but 3 bytes are left")
	decodeError[[]float64](t, long(2)+"0123456789", "count is 2, but 10 bytes are left")
	decodeError[[]int](t, long(math.MinInt64)+long(0), "count is -9223372036854775808")
	decodeError[[]int](t, long(-1)+long(9)+"\x02", "block has 9 bytes, but 1 are left")
	decodeError[[2]int](t, long(1)+"\x02\x00", "array has 1 elements or more, want 2")
	decodeError[[2]int](t, long(3)+"\x02\x02\x02\x00", "array has 3 elements or more, want 2")
	decodeError[map[string]int](t, long(2)+"\x02a\x02"+"\x02a\x02\x00", "map of 2 entries has 1 different keys")
	decodeError[map[string]int](t, long(1<<40)+"\x02a\x02", "count is 1099511627776, but 3 bytes are left")
	decodeError[order](t, "\x00\x00\x00\x00"+long(2)+"\x02a", "field Lines: count is 2, but 2 bytes are left")
	decodeError[[]order](t, long(1)+"\x00\x00\x00\x00"+long(1)+"\x02a\xff"+strings.Repeat("\xff", 30), "field [0].Lines[0].N: number has more than 64 bits")
	decodeError[map[string]line](t, long(1)+"\x02a\x02b\x80\x00", "field [value].N: number of 2 bytes is padded")
}

// Other writers of Avro split arrays and maps into blocks, and may put a block's size before it.
func TestOtherWritersBlocks(t *testing.T) {
	var s []string
	src := long(1) + "\x02a" + long(-2) + long(4) + "\x02b\x02c" + long(1) + "\x02d" + long(0)
	if rest, err := derive[[]string](t).Decode([]byte(src+"tail"), &s); err != nil || strings.Join(s, "") != "abcd" || string(rest) != "tail" {
		t.Errorf("got %q, rest %q, error %v", s, rest, err)
	}
	var a [3]int8
	if _, err := derive[[3]int8](t).Decode([]byte(long(1)+"\x02"+long(-2)+long(2)+"\x04\x06\x00"), &a); err != nil || a != [3]int8{1, 2, 3} {
		t.Errorf("got %v, error %v", a, err)
	}
	var m map[string]int
	if _, err := derive[map[string]int](t).Decode([]byte(long(1)+"\x02a\x02"+long(1)+"\x02b\x04\x00"), &m); err != nil || m["a"] != 1 || m["b"] != 2 {
		t.Errorf("got %v, error %v", m, err)
	}
}

// memoryFactor is the memory that a byte of a zoo's input can stand for: an empty slice is one byte written and 24 in memory,
// a map's entry more, and slices that come in many blocks are grown by doubling.
const memoryFactor = 100

// decodeHostile checks that src cannot do harm: no panic, and no memory out of proportion.
func decodeHostile[T any](t *testing.T, e *codec.Encoding[T], src []byte) {
	t.Helper()
	var before, after runtime.MemStats
	var v T
	runtime.ReadMemStats(&before)
	rest, err := e.Decode(src, &v)
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(memoryFactor*len(src)+64<<10); got > limit {
		t.Fatalf("%T: %d bytes allocated for %d bytes of input, limit %d", v, got, len(src), limit)
	}
	if err != nil {
		if !isDamaged(err) {
			t.Fatalf("%T: error %v, want ErrDamaged", v, err)
		}
		return
	}
	// What decodes has an encoding, which decodes to the same.
	again := e.Append(nil, &v)
	if len(again) > len(src)-len(rest) {
		t.Fatalf("%T: %d bytes decoded, but %d encoded", v, len(src)-len(rest), len(again))
	}
	var w T
	if rest, err := e.Decode(again, &w); err != nil || len(rest) > 0 {
		t.Fatalf("%T: decode again: rest %d, error %v", v, len(rest), err)
	}
	if third := e.Append(nil, &w); string(third) != string(again) {
		t.Fatalf("%T: encoded %q, then %q", v, again, third)
	}
}

// The inputs that want most memory per byte.
func TestHostileMemory(t *testing.T) {
	const most = 1 << 20
	n := invariants.Sized[int64](most, most/8)
	zeros := strings.Repeat("\x00", int(n))
	decodeHostile(t, derive[[][]int](t), []byte(long(n)+zeros+"\x00"))
	decodeHostile(t, derive[[]*plain](t), []byte(long(n)+zeros+"\x00"))
	decodeHostile(t, derive[[]order](t), []byte(long(n/24)+zeros))
	decodeHostile(t, derive[map[string]string](t), []byte(long(n/2)+zeros))
	decodeHostile(t, derive[[]map[int8]int8](t), []byte(long(n/4)+strings.Repeat("\x02\x00\x00\x00", int(n/4))+"\x00"))
	decodeHostile(t, derive[[][]int](t), []byte(strings.Repeat("\x02\x00", int(n/2))+"\x00")) // a block for each element
	decodeHostile(t, derive[[]string](t), []byte(strings.Repeat("\x01\x02\x00", int(n/3))+"\x00"))
	decodeHostile(t, derive[*[most]float64](t), []byte("\x02"))
	decodeHostile(t, derive[[]int64](t), []byte(long(math.MaxInt64)))
}
