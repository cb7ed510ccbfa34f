package codec_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/codec"
)

func TestStringAndBytes(t *testing.T) {
	for _, text := range []string{"", "word", "\xff\x00 not UTF-8"} {
		src := []byte(text)
		s, err := codec.String.Decode(src)
		if err != nil || s != text {
			t.Errorf("%q: got %q, error %v", text, s, err)
		}
		b, err := codec.Bytes.Decode(src)
		if err != nil || string(b) != text || b == nil {
			t.Errorf("%q: got %q, error %v", text, b, err)
		}
		for i := range src {
			src[i] ^= 1
		}
		if s != text || string(b) != text {
			t.Errorf("%q: values alias the source", text)
		}
		if got, err := codec.String.Append([]byte("head "), text); err != nil || string(got) != "head "+text {
			t.Errorf("%q: got %q, error %v", text, got, err)
		}
		if got, err := codec.Bytes.Append([]byte("head "), []byte(text)); err != nil || string(got) != "head "+text {
			t.Errorf("%q: got %q, error %v", text, got, err)
		}
	}
}

func TestJSON(t *testing.T) {
	c := codec.JSON[line]()
	got, err := c.Append([]byte("head "), line{"<a&b>", 7})
	if want := `head {"SKU":"<a&b>","N":7}`; err != nil || string(got) != want {
		t.Fatalf("got %s, error %v, want %s", got, err, want)
	}
	v, err := c.Decode(bytes.TrimPrefix(got, []byte("head ")))
	if want := (line{"<a&b>", 7}); err != nil || v != want {
		t.Errorf("got %v, error %v, want %v", v, err, want)
	}
	for _, src := range []string{"", "{", "{} {}", "{}x", "[]", `{"N":"7"}`, `{"N":1e99}`} {
		if v, err := c.Decode([]byte(src)); !isDamaged(err) {
			t.Errorf("%s: got %v, error %v, want ErrDamaged", src, v, err)
		}
	}
	if _, err := codec.JSON[any]().Decode([]byte(strings.Repeat("[", 1<<20))); !isDamaged(err) {
		t.Errorf("deep nesting: error %v, want ErrDamaged", err)
	}
}

func TestJSONCannotEncode(t *testing.T) {
	got, err := codec.JSON[float64]().Append([]byte("head"), math.NaN())
	if want := "encode as json: json: unsupported value: NaN"; string(got) != "head" || err == nil || err.Error() != want {
		t.Errorf("got %q, error %v, want %s", got, err, want)
	}
}
