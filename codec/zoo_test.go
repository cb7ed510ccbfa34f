package codec_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"time"
)

type (
	plain struct {
		ID    int64
		Small int8
		Count uint32
		Price float64
		Open  bool
		Mark  [4]byte
	}
	level string
	order struct {
		ID      uint64
		User    string `millrace:"user"`
		At      time.Time
		Cache   func() `millrace:"-"`
		Lines   []line
		Tags    map[string]int32
		Seats   map[seat]*line
		Next    *line
		Raw     []byte
		Level   level
		Grid    [2][3]int16
		Pair    struct{ A, B float32 }
		Took    time.Duration
		Sets    map[int16]struct{}
		Nested  [][]string
		Deep    map[string]map[uint8][]bool
		private int `millrace:"-"`
	}
	line struct {
		SKU string
		N   int
	}
	seat struct {
		Row  uint8
		Name string
		Code [2]byte
	}
)

// fill sets v to a random value. Sizes stay small, and empty slices and maps are nil, which is how they decode.
func fill(r *rand.Rand, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(randomTime(r)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("millrace") != "-" {
				fill(r, v.Field(i))
			}
		}
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Slice:
		if n := r.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Map:
		fillMap(r, v)
	default:
		fillScalar(r, v)
	}
}

func fillMap(r *rand.Rand, v reflect.Value) {
	n := r.IntN(12)
	if n == 0 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for range n {
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(r, key)
		fill(r, elem)
		v.SetMapIndex(key, elem)
	}
}

func fillScalar(r *rand.Rand, v reflect.Value) {
	word := r.Uint64() >> r.IntN(64)
	switch {
	case v.CanInt():
		v.SetInt(int64(word) << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case v.CanUint():
		v.SetUint(word << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case v.CanFloat():
		v.SetFloat(float64(math.Float32frombits(r.Uint32() &^ (1 << 30)))) // no NaN: it is not equal to itself
	case v.Kind() == reflect.Bool:
		v.SetBool(word&1 == 1)
	case v.Kind() == reflect.String:
		b := make([]byte, r.IntN(100))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		v.SetString(string(b))
	default:
		panic("zoo: no filler for " + v.Type().String())
	}
}

func randomTime(r *rand.Rand) time.Time {
	if r.IntN(8) == 0 {
		return time.Time{}
	}
	return time.Unix(int64(r.Uint64())>>r.IntN(64), r.Int64N(1e9)).UTC()
}
