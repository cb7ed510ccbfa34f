package codec_test

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
)

type tripKey struct {
	City string
	Seat seat
	At   time.Time
	Day  int16
	Open bool
}

func keyOf[K comparable](t testing.TB) *codec.Key[K] {
	t.Helper()
	k, err := codec.KeyOf[K]()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Hashes decide in which key group a key is, and key groups are in checkpoints: these values must never change.
func TestGoldenHashes(t *testing.T) {
	golden(t, "", 0xef46db3751d8e999)
	golden(t, "millrace", 0x1a8807b3c9996a19)
	golden(t, level("millrace"), 0x1a8807b3c9996a19)
	golden(t, int(0), 0xe220a8397b1dcdaf)
	golden(t, int64(-1), 0xe4d971771b652c20)
	golden(t, int8(-1), 0xe4d971771b652c20)
	golden(t, int32(math.MinInt32), 0xee1591ea220fb185)
	golden(t, uint8(255), 0x338c507146283fb4)
	golden(t, uint64(math.MaxUint64), 0xe4d971771b652c20)
	golden(t, uint32(7), 0x63cbe1e459320dd7)
	golden(t, true, 0x910a2dec89025cc1)
	golden(t, [3]byte{1, 2, 3}, 0x743e13ee0c4ee5a5)
	golden(t, time.Unix(1, 2), 0xa04535f22366a573)
	golden(t, time.Time{}, 0x1658869d00d816a2)
	golden(t, struct{}{}, 0)
	golden(t, struct{ A, B string }{"ab", "c"}, 0x972f1e99ff3fde8e)
	golden(t, struct{ A, B string }{"a", "bc"}, 0xf4f589637de27a4d)
	golden(t, tripKey{"Oslo", seat{1, "a", [2]byte{3, 4}}, time.Unix(1, 2), -7, true}, 0xd1096443df3483f7)
}

func golden[K comparable](t *testing.T, v K, want uint64) {
	t.Helper()
	if got := keyOf[K](t).Hash(v); got != want {
		t.Errorf("%T %v: got %#x, want %#x", v, v, got, want)
	}
}

// An integer keeps its key group when its type is made wider.
func TestHashOfWiderInteger(t *testing.T) {
	for _, v := range []int8{math.MinInt8, -1, 0, 5} {
		want := keyOf[int8](t).Hash(v)
		for _, got := range []uint64{keyOf[int16](t).Hash(int16(v)), keyOf[int32](t).Hash(int32(v)), keyOf[int64](t).Hash(int64(v)), keyOf[int](t).Hash(int(v))} {
			if got != want {
				t.Errorf("%d: got %#x, want %#x", v, got, want)
			}
		}
	}
}

// Neighbouring keys must differ in the low bits, which choose the key group, and in the high ones, which choose the place in a
// table. Chi-square with 1023 degrees of freedom: mean 1023, deviation 45; the inputs are fixed.
func TestHashSpreads(t *testing.T) {
	checkSpread(t, func(i int) int64 { return int64(i) })
	checkSpread(t, func(i int) int64 { return int64(i) << 32 })
	checkSpread(t, func(i int) uint16 { return uint16(i) })
	checkSpread(t, func(i int) string { return fmt.Sprint("user-", i) })
	checkSpread(t, func(i int) [8]byte { return [8]byte{7: byte(i), 6: byte(i >> 8), 5: byte(i >> 16)} })
	checkSpread(t, func(i int) struct{ A, B int32 } { return struct{ A, B int32 }{int32(i / 256), int32(i % 256)} })
	checkSpread(t, func(i int) seat { return seat{uint8(i), string(rune(i>>8 + 'a')), [2]byte{1, 2}} })
}

func checkSpread[K comparable](t *testing.T, key func(int) K) {
	t.Helper()
	const buckets, each = 1024, 64
	k := keyOf[K](t)
	var low, high [buckets]int
	for i := range buckets * each {
		h := k.Hash(key(i))
		low[h%buckets]++
		high[h>>32%buckets]++
	}
	for name, counts := range map[string][buckets]int{"low": low, "high": high} {
		chi := 0.0
		for _, n := range counts {
			chi += float64((n-each)*(n-each)) / each
		}
		if chi > 1023+6*45 {
			t.Errorf("%T: %s bits: chi-square %.0f", key(0), name, chi)
		}
	}
}

// One changed bit of a key changes about half the bits of its hash.
func TestHashAvalanche(t *testing.T) {
	k, r := keyOf[struct{ A, B uint64 }](t), newRand(t)
	flipped := 0
	const rounds = 10_000
	for range rounds {
		v := struct{ A, B uint64 }{r.Uint64(), r.Uint64()}
		w := v
		if bit := uint64(1) << r.IntN(64); r.IntN(2) == 0 {
			w.A ^= bit
		} else {
			w.B ^= bit
		}
		flipped += bits.OnesCount64(k.Hash(v) ^ k.Hash(w))
	}
	if mean := float64(flipped) / rounds; mean < 31.5 || mean > 32.5 {
		t.Errorf("%.2f bits of 64 change", mean)
	}
}

func TestKeys(t *testing.T) {
	checkKey[string](t, codec.KeyString, `"string"`)
	checkKey[level](t, codec.KeyString, `"string"`)
	checkKey[int](t, codec.KeyPlain, `"long"`)
	checkKey[int8](t, codec.KeyPlain, `{"type":"int","logicalType":"int8"}`)
	checkKey[uint64](t, codec.KeyPlain, `{"type":"long","logicalType":"uint64"}`)
	checkKey[uint16](t, codec.KeyPlain, `{"type":"int","logicalType":"uint16"}`)
	checkKey[bool](t, codec.KeyPlain, `"boolean"`)
	checkKey[[16]byte](t, codec.KeyPlain, `{"name":"Bytes16","type":"fixed","size":16}`)
	checkKey[[0]byte](t, codec.KeyPlain, `{"name":"Bytes0","type":"fixed","size":0}`)
	checkKey[time.Time](t, codec.KeyBytes, `{"name":"Time","type":"record","fields":[{"name":"seconds","type":"long"},{"name":"nanos","type":"int"}],"logicalType":"time"}`)
	checkKey[struct{}](t, codec.KeyPlain, `{"name":"value","type":"record","fields":[]}`)
	checkKey[pair[int8, uint64]](t, codec.KeyPlain, `{"name":"pair_int8_uint64","type":"record","fields":[{"name":"First","type":{"type":"int","logicalType":"int8"}},{"name":"Second","type":{"type":"long","logicalType":"uint64"}}]}`)
	checkKey[seat](t, codec.KeyBytes, `{"name":"seat","type":"record","fields":[{"name":"Row","type":{"type":"int","logicalType":"uint8"}},{"name":"Name","type":"string"},{"name":"Code","type":{"name":"Bytes2","type":"fixed","size":2}}]}`)
	checkKey[struct {
		A int
		B int `millrace:"-"`
	}](t, codec.KeyBytes, `{"name":"value","type":"record","fields":[{"name":"A","type":"long"}]}`)
	checkKey[tripKey](t, codec.KeyBytes, keyOf[tripKey](t).Schema())
}

// checkKey checks, on random keys, that bytes, hash and order agree on which keys are equal.
func checkKey[K comparable](t *testing.T, form codec.KeyForm, schema string) {
	t.Helper()
	t.Run(reflect.TypeFor[K]().String(), func(t *testing.T) {
		k, r := keyOf[K](t), newRand(t)
		if k.Form() != form || k.Schema() != schema {
			t.Errorf("form %d, schema %s, want %d, %s", k.Form(), k.Schema(), form, schema)
		}
		keys := make([]K, 60)
		for i := range keys {
			fill(r, reflect.ValueOf(&keys[i]).Elem())
		}
		for _, a := range keys {
			enc := k.Append(nil, a)
			if got, err := k.Decode(enc); err != nil || got != a {
				t.Fatalf("%v: decoded %v, error %v", a, got, err)
			}
			if _, err := k.Decode(append(enc, 0)); form != codec.KeyString && !isDamaged(err) {
				t.Fatalf("%v: a byte more: error %v, want ErrDamaged", a, err)
			}
			for _, b := range keys {
				checkPair(t, k, a, b)
			}
		}
	})
}

func checkPair[K comparable](t *testing.T, k *codec.Key[K], a, b K) {
	t.Helper()
	equal := a == b
	if got := bytes.Equal(k.Append(nil, a), k.Append(nil, b)); got != equal {
		t.Fatalf("%v, %v: bytes equal: %v", a, b, got)
	}
	if c := k.Compare(a, b); c == 0 != equal || c != -k.Compare(b, a) {
		t.Fatalf("%v, %v: order %d, other way %d", a, b, c, k.Compare(b, a))
	}
	if got := k.Hash(a) == k.Hash(b); got != equal {
		t.Fatalf("%v, %v: hashes equal: %v", a, b, got)
	}
}

// Equal instants are one key, whatever their location.
func TestTimeKeyIsItsInstant(t *testing.T) {
	k := keyOf[pair[time.Time, int]](t)
	utc := pair[time.Time, int]{time.Unix(5, 6).UTC(), 1}
	east := pair[time.Time, int]{time.Unix(5, 6).In(time.FixedZone("east", 3600)), 1}
	if utc == east || k.Hash(utc) != k.Hash(east) || k.Compare(utc, east) != 0 || !bytes.Equal(k.Append(nil, utc), k.Append(nil, east)) {
		t.Error("two keys")
	}
}

func TestKeyOrder(t *testing.T) {
	ordered(t, int8(-128), -1, 0, 127)
	ordered(t, uint64(0), 1, math.MaxInt64, math.MaxUint64)
	ordered(t, false, true)
	ordered(t, "", "a", "a\x00", "b")
	ordered(t, [2]byte{0, 255}, [2]byte{1, 0})
	ordered(t, time.Time{}, time.Unix(-1, 0), time.Unix(0, 1))
	ordered(t, seat{1, "b", [2]byte{9, 9}}, seat{2, "a", [2]byte{}}, seat{2, "a", [2]byte{0, 1}}, seat{2, "aa", [2]byte{}})
}

func ordered[K comparable](t *testing.T, keys ...K) {
	t.Helper()
	k := keyOf[K](t)
	for i, a := range keys {
		for j, b := range keys {
			if got, want := k.Compare(a, b), min(max(i-j, -1), 1); got != want {
				t.Errorf("%v, %v: got %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestKeysDoNotAllocate(t *testing.T) {
	keyAllocs(t, "some key that is long enough")
	keyAllocs(t, int64(7))
	keyAllocs(t, [16]byte{1})
	keyAllocs(t, tripKey{City: "Oslo", Seat: seat{Name: "a"}, At: time.Unix(1, 2)})
}

func keyAllocs[K comparable](t *testing.T, v K) {
	t.Helper()
	k := keyOf[K](t)
	buf := make([]byte, 0, 256)
	var sum uint64
	if n := testing.AllocsPerRun(100, func() {
		sum += k.Hash(v)
		buf = k.Append(buf[:0], v)
		sum += uint64(k.Compare(v, v))
	}); n != 0 {
		t.Errorf("%T: %v allocations", v, n)
	}
}

// The canonical bytes of keys are in checkpoints: they must never change.
func TestGoldenKeyBytes(t *testing.T) {
	check := func(got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check(keyOf[string](t).Append([]byte("head "), "Oslo"), "head Oslo")
	check(keyOf[int64](t).Append(nil, -65), "\x81\x01")
	check(keyOf[[2]byte](t).Append(nil, [2]byte{1, 255}), "\x01\xff")
	check(keyOf[tripKey](t).Append(nil, tripKey{"Oslo", seat{1, "a", [2]byte{3, 4}}, time.Unix(0, 2), -7, true}), "\x08Oslo\x02\x02a\x03\x04\x00\x04\x0d\x01")
	check(keyOf[struct{ A, B string }](t).Append(nil, struct{ A, B string }{"ab", "c"}), "\x04ab\x02c")
}
