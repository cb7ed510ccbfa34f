package codec_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
)

func BenchmarkAppend(b *testing.B) {
	benchAppend(b, "small int64", int64(42))
	benchAppend(b, "large int64", int64(1_795_000_000_000_000_000))
	benchAppend(b, "string", "a word of 21 letters.")
	benchAppend(b, "plain", plain{ID: 1 << 20, Count: 7, Price: 1.5})
	benchAppend(b, "count and time", pair[int64, time.Time]{5, time.Unix(1_795_000_000, 5)})
	benchAppend(b, "10 lines", make([]line, 10))
	benchAppend(b, "map of 10", map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9})
}

func benchAppend[T any](b *testing.B, name string, v T) {
	e := derive[T](b)
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			buf = e.Append(buf[:0], &v)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	benchDecode(b, "small int64", int64(42))
	benchDecode(b, "string", "a word of 21 letters.")
	benchDecode(b, "plain", plain{ID: 1 << 20, Count: 7, Price: 1.5})
	benchDecode(b, "10 lines", make([]line, 10))
	benchDecode(b, "map of 10", map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9})
}

func benchDecode[T any](b *testing.B, name string, v T) {
	e := derive[T](b)
	src := e.Append(nil, &v)
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Decode(src, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkHash(b *testing.B) {
	benchHash(b, "string", "user-123456")
	benchHash(b, "int64", int64(123456))
	benchHash(b, "int32", int32(123456))
	benchHash(b, "16 bytes", [16]byte{1})
	benchHash(b, "two ints", pair[int32, int32]{1, 2})
	benchHash(b, "string and int", pair[string, int]{"user-123456", 2})
}

func benchHash[K comparable](b *testing.B, name string, v K) {
	k := keyOf[K](b)
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Hash(v)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	c, buf := codec.JSON[line](), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out, err := c.Append(buf[:0], line{"sku-17", 3})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Decode(out); err != nil {
			b.Fatal(err)
		}
	}
}
