package codec_test

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/codec"
)

// shape is an interface, which reflection alone cannot decode.
type shape interface{ area() float64 }

type (
	circle string // its text, to make encodings of any length
	square struct{ side byte }
	tiny   byte
	broken struct{ A int }
)

func (c circle) area() float64 { return float64(len(c)) }
func (s square) area() float64 { return float64(s.side) }

type shapeCodec struct{}

func (shapeCodec) Append(dst []byte, v shape) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return dst, nil
	case circle:
		return append(append(dst, 'c'), v...), nil
	case square:
		return append(dst, 's', v.side), nil
	}
	return dst, fmt.Errorf("unknown shape %T", v)
}

func (shapeCodec) Decode(src []byte) (shape, error) {
	switch {
	case len(src) == 0:
		return nil, nil
	case src[0] == 'c':
		return circle(src[1:]), nil
	case len(src) == 2 && src[0] == 's':
		return square{src[1]}, nil
	}
	return nil, fmt.Errorf("shape %q: %w", src, codec.ErrDamaged)
}

type tinyCodec struct{}

func (tinyCodec) Append(dst []byte, v tiny) ([]byte, error) { return append(dst, "tiny"[:v]...), nil }
func (tinyCodec) Decode(src []byte) (tiny, error)           { return tiny(len(src)), nil }

var errBroken = errors.New("no way")

type brokenCodec struct{}

func (brokenCodec) Append(dst []byte, _ broken) ([]byte, error) { return dst, errBroken }
func (brokenCodec) Decode([]byte) (broken, error)               { return broken{}, errBroken }

func init() {
	codec.Register[shape](shapeCodec{})
	codec.Register[tiny](tinyCodec{})
	codec.Register[broken](brokenCodec{})
	codec.Register[big.Int](codec.JSON[big.Int]())
}

func TestRegistered(t *testing.T) {
	type drawing struct {
		Main  shape
		All   []shape
		ByKey map[string]shape
		Tiny  []tiny // not bytes
		Three [3]tiny
		Big   *big.Int
	}
	e := derive[drawing](t)
	for _, n := range []int{0, 1, 62, 63, 64, 8190, 8191, 8192, 100_000} { // the length before it takes one, two, three bytes
		c := circle(strings.Repeat("o", n))
		v := drawing{c, []shape{square{4}, nil, c}, map[string]shape{"a": c}, []tiny{0, 4}, [3]tiny{1, 2, 3}, big.NewInt(7)}
		var got drawing
		rest, err := e.Decode(e.Append(nil, &v), &got)
		if err != nil || len(rest) > 0 || !reflect.DeepEqual(got, v) {
			t.Fatalf("n %d: rest %d, error %v, got %+v", n, len(rest), err, got)
		}
	}
	want := strings.ReplaceAll(`{"name":"drawing","type":"record","fields":[{"name":"Main","type":$},{"name":"All","type":{"type":"array","items":$}},`+
		`{"name":"ByKey","type":{"type":"map","values":$}},{"name":"Tiny","type":{"type":"array","items":$}},`+
		`{"name":"Three","type":{"type":"array","items":$,"length":3}},{"name":"Big","type":["null",$]}]}`,
		"$", `{"type":"bytes","logicalType":"registered"}`)
	if e.Schema() != want {
		t.Errorf("got  %s\nwant %s", e.Schema(), want)
	}
	if _, err := e.Decode([]byte("\x02x"), new(drawing)); !isDamaged(err) || err.Error() !=
		`field Main: registered codec of codec_test.shape: shape "x": encoded bytes are damaged` {
		t.Errorf("error %v", err)
	}
	if _, err := derive[shape](t).Decode([]byte("\x04x"), new(shape)); !isDamaged(err) {
		t.Errorf("error %v, want ErrDamaged", err)
	}
}

// A registered codec does not change what a key is.
func TestRegisteredInsideKey(t *testing.T) {
	if got := string(keyOf[pair[tiny, int]](t).Append(nil, pair[tiny, int]{5, 6})); got != "\x0a\x0c" {
		t.Errorf("key: got %q", got)
	}
	deriveError[map[tiny]int](t, "key value[key]: codec_test.tiny has a registered codec, which cannot be part of a map's key; make the map a slice")
}

func TestRegisteredPanics(t *testing.T) {
	panics := func(want string, f func()) {
		t.Helper()
		defer func() {
			if got := fmt.Sprint(recover()); got != want {
				t.Errorf("panic %s, want %s", got, want)
			}
		}()
		f()
	}
	panics("codec: register codec_test.shape: it already has a codec", func() { codec.Register[shape](shapeCodec{}) })
	panics("codec: register int: codec is nil", func() { codec.Register[int](nil) })
	panics("codec: encode codec_test.broken: no way", func() { derive[broken](t).Append(nil, &broken{}) })
}
