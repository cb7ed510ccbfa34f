package codec_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
)

func FuzzDecodeRecord(f *testing.F) {
	e := derive[order](f)
	f.Add(e.Append(nil, &order{}))
	f.Add(e.Append(nil, &order{
		ID: 1, User: "ann", At: time.Unix(1, 2), Lines: []line{{"a", 1}}, Tags: map[string]int32{"a": 1, "b": 2},
		Seats: map[seat]*line{{Row: 1}: {SKU: "b"}}, Next: &line{}, Raw: []byte("raw"), Sets: map[int16]struct{}{1: {}},
		Nested: [][]string{{"a"}, {}}, Deep: map[string]map[uint8][]bool{"a": {1: {true}}},
	}))
	f.Fuzz(func(t *testing.T, src []byte) { decodeHostile(t, e, src) })
}

func FuzzDecodeSlices(f *testing.F) {
	e := derive[[]map[string][2][]*plain](f)
	f.Add(e.Append(nil, &[]map[string][2][]*plain{{"a": {{nil, {ID: 1}}, {}}}, nil}))
	f.Add([]byte("\x01\x02\x00\x00"))
	f.Fuzz(func(t *testing.T, src []byte) { decodeHostile(t, e, src) })
}

func FuzzDecodeKey(f *testing.F) {
	k := keyOf[tripKey](f)
	f.Add(k.Append(nil, tripKey{City: "Oslo", Seat: seat{1, "a", [2]byte{3, 4}}, At: time.Unix(1, 2)}))
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := k.Decode(src)
		if err != nil {
			if !isDamaged(err) {
				t.Fatalf("error %v, want ErrDamaged", err)
			}
			return
		}
		// One key has one encoding, or state would keep it twice.
		if again := k.Append(nil, v); string(again) != string(src) {
			t.Fatalf("%q decodes to %+v, which is written %q", src, v, again)
		}
	})
}

func FuzzDecodeJSON(f *testing.F) {
	c := codec.JSON[map[string][]line]()
	f.Add([]byte(`{"a":[{"SKU":"x","N":1}]}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := c.Decode(src)
		if err != nil {
			if !isDamaged(err) {
				t.Fatalf("error %v, want ErrDamaged", err)
			}
			return
		}
		if _, err := c.Append(nil, v); err != nil {
			t.Fatalf("encode again: %v", err)
		}
	})
}
