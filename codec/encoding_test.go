package codec_test

import (
	"bytes"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hamba/avro/v2"

	"github.com/millrace-io/millrace/codec"
)

func derive[T any](t testing.TB) *codec.Encoding[T] {
	t.Helper()
	e, err := codec.Derive[T]()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newRand(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// roundTrip checks that random values of T survive, that rest is what follows, and that every shorter input is damaged.
func roundTrip[T any](t *testing.T) {
	t.Helper()
	t.Run(reflect.TypeFor[T]().String(), func(t *testing.T) {
		e, r := derive[T](t), newRand(t)
		for range 200 {
			var v, got T
			fill(r, reflect.ValueOf(&v).Elem())
			enc := e.Append([]byte("head"), &v)[4:]
			rest, err := e.Decode(append(bytes.Clone(enc), "tail"...), &got)
			if err != nil || string(rest) != "tail" || !reflect.DeepEqual(got, v) {
				t.Fatalf("got %+v, rest %q, error %v, want %+v", got, rest, err, v)
			}
			if cut := r.IntN(len(enc) + 1); cut < len(enc) {
				if _, err := e.Decode(enc[:cut], &got); !isDamaged(err) {
					t.Fatalf("cut at %d of %d: error %v, want ErrDamaged", cut, len(enc), err)
				}
			}
		}
	})
}

func TestRoundTrip(t *testing.T) {
	roundTrip[bool](t)
	roundTrip[int](t)
	roundTrip[int8](t)
	roundTrip[int16](t)
	roundTrip[int32](t)
	roundTrip[int64](t)
	roundTrip[uint](t)
	roundTrip[uint8](t)
	roundTrip[uint16](t)
	roundTrip[uint32](t)
	roundTrip[uint64](t)
	roundTrip[float32](t)
	roundTrip[float64](t)
	roundTrip[string](t)
	roundTrip[[]byte](t)
	roundTrip[[16]byte](t)
	roundTrip[[0]byte](t)
	roundTrip[time.Time](t)
	roundTrip[time.Duration](t)
	roundTrip[struct{}](t)
	roundTrip[*int64](t)
	roundTrip[*[]*string](t)
	roundTrip[[]int](t)
	roundTrip[[3]string](t)
	roundTrip[[0]string](t)
	roundTrip[[][]byte](t)
	roundTrip[map[string]string](t)
	roundTrip[map[bool]int](t)
	roundTrip[map[[2]byte]struct{}](t)
	roundTrip[map[seat]map[int8]*line](t)
	roundTrip[plain](t)
	roundTrip[*plain](t)
	roundTrip[order](t)
	roundTrip[[]order](t)
}

// Our bytes are Avro's: another implementation reads them with our schema and writes them the same.
func TestAvroReadsOurBytes(t *testing.T) {
	crossCheck[int64](t)
	crossCheck[float32](t)
	crossCheck[[]byte](t)
	crossCheck[map[string][]int32](t)
	crossCheck[map[seat]string](t)
	crossCheck[struct {
		A plain
		B *plain
		C []plain
		D [2]plain
		E []*line
		F map[string]line
		G [4]byte
		H uint64
		I []string
	}](t)
	crossCheck[struct {
		A seat
		B map[seat]line
		C []map[seat]line
		D map[seat]line
	}](t)
}

func crossCheck[T any](t *testing.T) {
	t.Helper()
	e, r := derive[T](t), newRand(t)
	schema, err := avro.Parse(e.Schema())
	if err != nil {
		t.Fatalf("schema %s: %v", e.Schema(), err)
	}
	for range 100 {
		var v T
		fill(r, reflect.ValueOf(&v).Elem())
		enc := e.Append(nil, &v)
		var generic any
		if err := avro.Unmarshal(schema, enc, &generic); err != nil {
			t.Fatalf("avro: decode %+v with %s: %v", v, e.Schema(), err)
		}
		theirs, err := avro.Marshal(schema, generic)
		if err != nil {
			t.Fatalf("avro: encode %v: %v", generic, err)
		}
		var got T
		if rest, err := e.Decode(theirs, &got); err != nil || len(rest) > 0 || !reflect.DeepEqual(got, v) {
			t.Fatalf("got %+v, rest %d, error %v, want %+v", got, len(rest), err, v)
		}
	}
}

// The bytes are part of the format of checkpoints: this one must never change.
func TestGoldenBytes(t *testing.T) {
	e := derive[order](t)
	v := order{
		ID: math.MaxUint64, User: "ann", At: time.Unix(0, 5).In(time.FixedZone("east", 3600)), Cache: func() {},
		Lines: []line{{"x", -1}, {"", 64}}, Tags: map[string]int32{"b": 2, "a": 1, "": 0},
		Seats: map[seat]*line{{2, "a", [2]byte{7, 8}}: nil, {1, "b", [2]byte{}}: {"y", 1}}, Raw: []byte{0xff}, Level: "hot",
		Grid: [2][3]int16{{1, 2, 3}, {-1, -2, -3}}, Sets: map[int16]struct{}{3: {}, -3: {}}, private: 1,
	}
	v.Pair.A = 1
	want := "\x01" + "\x06ann" + "\x00\x0a" + "\x04\x02x\x01\x00\x80\x01\x00" + "\x06\x00\x00\x02a\x02\x02b\x04\x00" +
		"\x04\x02\x02b\x00\x00\x02\x02y\x02\x04\x02a\x07\x08\x00\x00" + "\x00" + "\x02\xff" + "\x06hot" +
		"\x04\x06\x02\x04\x06\x00\x06\x01\x03\x05\x00\x00" + "\x00\x00\x80\x3f\x00\x00\x00\x00" + "\x00" + "\x04\x05\x06\x00" + "\x00" + "\x00"
	for range 20 { // Go ranges over maps in another order each time
		v.Tags = maps.Clone(v.Tags)
		if got := e.Append(nil, &v); string(got) != want {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	}
}

func TestGoldenSchema(t *testing.T) {
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check(derive[uint64](t).Schema(), `{"type":"long","logicalType":"uint64"}`)
	check(derive[time.Time](t).Schema(), `{"name":"Time","type":"record","fields":[{"name":"seconds","type":"long"},{"name":"nanos","type":"int"}],"logicalType":"time"}`)
	check(derive[struct {
		A, B *line
		C    [16]byte
		D    []line
	}](t).Schema(), `{"name":"value","type":"record","fields":[`+
		`{"name":"A","type":["null",{"name":"line","type":"record","fields":[{"name":"SKU","type":"string"},{"name":"N","type":"long"}]}]},`+
		`{"name":"B","type":["null","line"]},{"name":"C","type":{"name":"Bytes16","type":"fixed","size":16}},`+
		`{"name":"D","type":{"type":"array","items":"line"}}]}`)
	check(derive[pair[line, codec.KeyForm]](t).Schema(), `{"name":"pair_line_KeyForm","type":"record","fields":[{"name":"First",`+
		`"type":{"name":"line","type":"record","fields":[{"name":"SKU","type":"string"},{"name":"N","type":"long"}]}},{"name":"Second","type":{"type":"int","logicalType":"uint8"}}]}`)
	check(derive[order](t).Schema(), `{"name":"order","type":"record","fields":[{"name":"ID","type":{"type":"long","logicalType":"uint64"}},{"name":"user","type":"string"},`+
		`{"name":"At","type":{"name":"Time","type":"record","fields":[{"name":"seconds","type":"long"},{"name":"nanos","type":"int"}],"logicalType":"time"}},`+
		`{"name":"Lines","type":{"type":"array","items":{"name":"line","type":"record","fields":[{"name":"SKU","type":"string"},{"name":"N","type":"long"}]}}},`+
		`{"name":"Tags","type":{"type":"map","values":"int"}},`+
		`{"name":"Seats","type":{"type":"array","items":{"name":"order_Seats_Entry","type":"record","fields":[{"name":"key","type":`+
		`{"name":"seat","type":"record","fields":[{"name":"Row","type":{"type":"int","logicalType":"uint8"}},{"name":"Name","type":"string"},{"name":"Code","type":`+
		`{"name":"Bytes2","type":"fixed","size":2}}]}},{"name":"value","type":["null","line"]}]},"logicalType":"map"}},`+
		`{"name":"Next","type":["null","line"]},{"name":"Raw","type":"bytes"},{"name":"Level","type":"string"},`+
		`{"name":"Grid","type":{"type":"array","items":{"type":"array","items":{"type":"int","logicalType":"int16"},"length":3},"length":2}},`+
		`{"name":"Pair","type":{"name":"order_Pair","type":"record","fields":[{"name":"A","type":"float"},{"name":"B","type":"float"}]}},`+
		`{"name":"Took","type":"long"},{"name":"Sets","type":{"type":"array","items":{"name":"order_Sets_Entry","type":"record","fields":`+
		`[{"name":"key","type":{"type":"int","logicalType":"int16"}},{"name":"value","type":{"name":"order_Sets_value","type":"record","fields":[]}}]},"logicalType":"map"}},`+
		`{"name":"Nested","type":{"type":"array","items":{"type":"array","items":"string"}}},`+
		`{"name":"Deep","type":{"type":"map","values":{"type":"array","items":{"name":"order_Deep_value_Entry","type":"record","fields":`+
		`[{"name":"key","type":{"type":"int","logicalType":"uint8"}},{"name":"value","type":{"type":"array","items":"boolean"}}]},"logicalType":"map"}}}]}`)
}

type pair[A, B any] struct {
	First  A
	Second B
}

func TestTimes(t *testing.T) {
	e := derive[time.Time](t)
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct{ in, want time.Time }{
		{time.Time{}, time.Time{}},
		{year(2026).In(time.FixedZone("west", -3600)), year(2026)},
		{year(1500), year(1500)},
		{year(-5000), year(-5000)},
		{time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)},
		{time.Unix(0, math.MinInt64), time.Unix(0, math.MinInt64).UTC()},
		{time.Unix(0, -1), time.Unix(0, -1).UTC()},
		{time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
		{time.Unix(math.MaxInt64, 999_999_999), time.Unix(math.MaxInt64, 999_999_999).UTC()},
	} {
		got := year(1999)
		if _, err := e.Decode(e.Append(nil, &c.in), &got); err != nil || got != c.want {
			t.Errorf("%v: got %v, error %v, want %v", c.in, got, err, c.want)
		}
	}
	var zero time.Time
	got := year(1999)
	if _, err := e.Decode(e.Append(nil, &zero), &got); err != nil || !got.IsZero() || got != zero {
		t.Errorf("zero time: got %v, error %v", got, err)
	}
	for _, nanos := range []string{"\x01", "\x80\xa8\xd6\xb9\x07"} { // -1 and 1,000,000,000
		if _, err := e.Decode([]byte("\x00"+nanos), &got); !isDamaged(err) {
			t.Errorf("nanoseconds %q: error %v, want ErrDamaged", nanos, err)
		}
	}
}

// Instants that a count of nanoseconds cannot tell apart are different keys.
func TestTimeKeysFarAway(t *testing.T) {
	k := keyOf[time.Time](t)
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if k.Compare(far, far.Add(1)) >= 0 || k.Compare(time.Time{}, far) >= 0 || bytes.Equal(k.Append(nil, far), k.Append(nil, far.Add(1))) {
		t.Error("two instants of the year 9999 are one key")
	}
}

// Decode replaces the whole value, the fields that are left out too, so that nothing of a value decoded before shows through.
func TestDecodeOverwrites(t *testing.T) {
	e := derive[order](t)
	old := order{Next: &line{}, Raw: []byte("old"), private: 7, Tags: map[string]int32{"old": 1}}
	kept := old.Raw
	if _, err := e.Decode(e.Append(nil, &order{ID: 1, Raw: []byte("new")}), &old); err != nil {
		t.Fatal(err)
	}
	if want := (order{ID: 1, Raw: []byte("new")}); !reflect.DeepEqual(old, want) || string(kept) != "old" {
		t.Errorf("got %+v, want %+v; the old bytes are %q", old, want, kept)
	}
}

func TestDecodeDoesNotAlias(t *testing.T) {
	e := derive[order](t)
	src := e.Append(nil, &order{User: "ann", Raw: []byte("raw"), Nested: [][]string{{"x"}}})
	var got order
	if _, err := e.Decode(src, &got); err != nil {
		t.Fatal(err)
	}
	clear(src)
	if got.User != "ann" || string(got.Raw) != "raw" || got.Nested[0][0] != "x" {
		t.Errorf("got %+v after the source was cleared", got)
	}
}

func TestHasPointers(t *testing.T) {
	for name, c := range map[string]struct{ got, want bool }{
		"plain":  {derive[plain](t).HasPointers(), false},
		"order":  {derive[order](t).HasPointers(), true},
		"string": {derive[string](t).HasPointers(), true},
		"time":   {derive[time.Time](t).HasPointers(), true},
		"skipped": {derive[struct {
			F func() `millrace:"-"`
		}](t).HasPointers(), true},
		"[0]*int":  {derive[[0]*int](t).HasPointers(), false},
		"[2]int":   {derive[[2]int](t).HasPointers(), false},
		"*int":     {derive[*int](t).HasPointers(), true},
		"[1][]int": {derive[[1][]int](t).HasPointers(), true},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v", name, c.got)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	checkAllocs(t, plain{ID: 1 << 40, Mark: [4]byte{1}})
	checkAllocs(t, int64(-5))
	checkAllocs(t, "word")
	checkAllocs(t, []line{{"a", 1}, {"b", 2}})
	checkAllocs(t, time.Unix(9, 9))
	checkAllocs(t, &line{"a", 1})
}

func checkAllocs[T any](t *testing.T, v T) {
	t.Helper()
	e := derive[T](t)
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		onStack := v
		buf = e.Append(buf[:0], &onStack)
	}); n != 0 {
		t.Errorf("%T: %v allocations per Append", v, n)
	}
}

func TestDecodePlainDoesNotAllocate(t *testing.T) {
	e := derive[plain](t)
	src := e.Append(nil, &plain{ID: 1 << 40})
	if n := testing.AllocsPerRun(100, func() {
		var v plain
		if _, err := e.Decode(src, &v); err != nil || v.ID != 1<<40 {
			t.Fatal(v, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLongStrings(t *testing.T) {
	e := derive[map[string]string](t)
	v := map[string]string{strings.Repeat("k", 1<<17): strings.Repeat("v", 1<<16)}
	for i := range 10_000 { // more entries than a scratch is kept for
		v[strings.Repeat("x", i%7)+string(rune(i))] = "y"
	}
	var got map[string]string
	if _, err := e.Decode(e.Append(nil, &v), &got); err != nil || !maps.Equal(got, v) {
		t.Errorf("error %v", err)
	}
}

// One encoding serves many goroutines; under -race this looks at what map encodings share.
func TestConcurrentUse(t *testing.T) {
	e, r := derive[order](t), newRand(t)
	var v order
	for len(v.Deep) < 3 || len(v.Seats) < 3 {
		fill(r, reflect.ValueOf(&v).Elem())
	}
	want := e.Append(nil, &v)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				var got order
				if _, err := e.Decode(want, &got); err != nil {
					t.Error(err)
				}
				if enc := e.Append(nil, &got); !bytes.Equal(enc, want) {
					t.Errorf("got %q, want %q", enc, want)
				}
			}
		})
	}
	wg.Wait()
}
