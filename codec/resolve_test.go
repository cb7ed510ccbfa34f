package codec_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/hamba/avro/v2"

	"github.com/millrace-io/millrace/codec"
)

func resolve[Was, Is any](t testing.TB) *codec.Resolution {
	t.Helper()
	r, err := derive[Is](t).Untyped().Resolve(derive[Was](t).Schema())
	if err != nil {
		t.Fatalf("%T to %T: %v", *new(Was), *new(Is), err)
	}
	return r
}

// evolves checks that v, written as a Was, is read as want, that what follows is left, and that no shorter input is read.
func evolves[Was, Is any](t *testing.T, v Was, want Is) {
	t.Helper()
	r := resolve[Was, Is](t)
	src := derive[Was](t).Append(nil, &v)
	got := want // Decode replaces all of it
	rest, err := r.Decode(append(slices.Clone(src), "tail"...), unsafe.Pointer(&got))
	if err != nil || string(rest) != "tail" || !reflect.DeepEqual(got, want) {
		t.Errorf("%T to %T: got %+v, rest %q, error %v, want %+v", v, want, got, rest, err, want)
	}
	for cut := range len(src) {
		if _, err := r.Decode(src[:cut], unsafe.Pointer(&got)); !isDamaged(err) {
			t.Errorf("%T to %T, cut at %d of %d: error %v, want ErrDamaged", v, want, cut, len(src), err)
		}
	}
}

// refused checks that a Was is not read as an Is, and that the error begins with want.
func refused[Was, Is any](t *testing.T, want string) {
	t.Helper()
	_, err := derive[Is](t).Untyped().Resolve(derive[Was](t).Schema())
	var m *codec.Mismatch
	if !errors.As(err, &m) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%T to %T: got  %v\nwant %s", *new(Was), *new(Is), err, want)
	}
}

type (
	accountV1 struct {
		Owner   string
		Cents   int32
		Note    string
		Opened  time.Time
		History []entryV1
		Limits  map[string]float32
		ByDay   map[int16]entryV1
		Code    [4]byte
	}
	entryV1 struct {
		Amount int32
		Reason string
	}
	accountV2 struct {
		Limits  map[string]float64
		ByDay   map[int16]*entryV2
		Balance int64  `millrace:"balance,alias=Cents"`
		Holder  []byte `millrace:",alias=Name,alias=Owner"`
		Opened  time.Time
		Closed  *time.Time
		History []entryV2
		Code    [4]byte
	}
	entryV2 struct {
		Amount float64
		Tags   []string
	}
)

func TestEvolvedStruct(t *testing.T) {
	opened := time.Date(9999, 1, 2, 3, 4, 5, 6, time.UTC)
	evolves(t, accountV1{
		"ann", -7, "gone", opened, []entryV1{{1, "a"}, {2, "b"}}, map[string]float32{"x": 1.5}, map[int16]entryV1{-3: {4, "c"}}, [4]byte{1, 2, 3, 4},
	}, accountV2{
		Limits: map[string]float64{"x": 1.5}, ByDay: map[int16]*entryV2{-3: {Amount: 4}}, Balance: -7, Holder: []byte("ann"),
		Opened: opened, History: []entryV2{{Amount: 1}, {Amount: 2}}, Code: [4]byte{1, 2, 3, 4},
	})
	r := resolve[accountV1, accountV2](t)
	if want := []string{"History[].Tags", "Closed"}; !slices.Equal(r.Added, want) {
		t.Errorf("added %q, want %q", r.Added, want)
	}
	if want := []string{"Note", "History[].Reason"}; !slices.Equal(r.Dropped, want) {
		t.Errorf("dropped %q, want %q", r.Dropped, want)
	}
}

func TestEvolvedFields(t *testing.T) {
	type ab struct {
		A int
		B string
	}
	type skipped struct {
		Keep int
		Gone ab
		List []map[string]*ab
		Map  map[int]bool
		F    float32
		D    float64
		Raw  [3]byte
		At   time.Time
		On   bool
		Opt  *string
		Nest [][]byte
		Last int8
	}
	evolves(t, ab{1, "x"}, struct {
		B string
		A int
	}{"x", 1})
	evolves(t, ab{1, "x"}, struct{ B string }{"x"})
	evolves(t, struct{ B string }{"x"}, ab{0, "x"})
	evolves(t, struct{}{}, ab{})
	evolves(t, ab{1, "x"}, struct{}{})
	s := "s"
	evolves(t, skipped{1, ab{2, "b"}, []map[string]*ab{{"k": {3, "c"}, "n": nil}, nil}, map[int]bool{4: true}, 5, 6, [3]byte{7}, time.Unix(8, 9), true, &s, [][]byte{{1}}, -1},
		struct {
			Keep int64
			Last int16
		}{1, -1})
	evolves(t, struct{ A, B int }{1, 2}, struct {
		A int `millrace:"C,alias=A"`
		B int
	}{1, 2})
	// The name wins over the alias, whatever the order: what stands under the old name is then another field's, or dropped.
	evolves(t, struct{ Old, New int }{1, 2}, struct {
		New int `millrace:",alias=Old"`
	}{2})
	evolves(t, [2]ab{{1, "x"}, {2, "y"}}, [2]struct{ B []byte }{{[]byte("x")}, {[]byte("y")}})
	evolves(t, [2]int32{1, 2}, []float32{1, 2})
	evolves(t, map[string][]int8{"a": {1}}, map[string][]int16{"a": {1}})
	evolves(t, map[[2]byte]ab{{1}: {A: 1}}, map[[2]byte]struct{ A int }{{1}: {1}})
	evolves(t, ab{1, "x"}, &ab{1, "x"})
	evolves(t, ab{1, "x"}, &struct{ A float64 }{1})
	evolves[*ab, *struct{ A float64 }](t, nil, nil)
	evolves(t, &ab{1, "x"}, &struct{ A float64 }{1})
}

func TestPromotions(t *testing.T) {
	evolves(t, int8(-128), int16(-128))
	evolves(t, int8(-128), int(-128))
	evolves(t, int16(-5), int32(-5))
	evolves(t, int32(math.MinInt32), int64(math.MinInt32))
	evolves(t, int64(math.MinInt64), int(math.MinInt64))
	evolves(t, int64(5), time.Duration(5))
	evolves(t, uint8(255), uint16(255))
	evolves(t, uint8(255), int16(255))
	evolves(t, uint16(65535), int32(65535))
	evolves(t, uint32(math.MaxUint32), int64(math.MaxUint32))
	evolves(t, uint32(math.MaxUint32), uint(math.MaxUint32))
	evolves(t, uint64(math.MaxUint64), uint(math.MaxUint64))
	evolves(t, int32(-7), float32(-7))
	evolves(t, int32(-7), float64(-7))
	evolves(t, int64(1<<40), float32(1<<40))
	evolves(t, int64(1<<40), float64(1<<40))
	evolves(t, uint64(math.MaxUint64), float64(math.MaxUint64))
	evolves(t, float32(0.1), float64(float32(0.1)))
	evolves(t, "word", []byte("word"))
	evolves(t, []byte{0xff}, "\xff")
	evolves(t, "word", level("word"))
}

func TestRefusedEvolutions(t *testing.T) {
	refused[int64, int32](t, "value was written as int64 and is now int32, which cannot hold it")
	refused[int, int8](t, "value was written as int64 and is now int8, which")
	refused[int32, uint32](t, "value was written as int32 and is now uint32, which")
	refused[int64, uint64](t, "value was written as int64 and is now uint64, which")
	refused[uint64, int64](t, "value was written as uint64 and is now int64, which")
	refused[uint8, int8](t, "value was written as uint8 and is now int8, which")
	refused[float64, float32](t, "value was written as float64 and is now float32, which")
	refused[float32, int64](t, "value was written as float32 and is now int64, which")
	refused[string, int](t, "value was written as string and is now int, which")
	refused[bool, int](t, "value was written as bool and is now int, which")
	refused[int, bool](t, "value was written as int64 and is now bool, which")
	refused[time.Time, int64](t, "value was written as time.Time and is now int64, which")
	refused[int64, time.Time](t, "value was written as int64 and is now time.Time, which")
	refused[time.Time, struct{ Seconds, Nanos int64 }](t, "value was written as time.Time and is now struct { Seconds int64")
	refused[*int, int](t, "value was written as *int64 and is now int, which cannot be absent; keep the pointer")
	refused[[4]byte, [5]byte](t, "value was written as [4]byte and is now [5]uint8, which")
	refused[[]byte, [5]byte](t, "value was written as []byte and is now [5]uint8, which")
	refused[[2]int, [3]int](t, "value was written as [2]int64 and is now [3]int, and an array keeps its length; make it a slice")
	refused[[]int, [3]int](t, "value was written as []int64 and is now [3]int, and an array")
	refused[[]string, string](t, "value was written as []string and is now string, which")
	refused[map[int32]int, map[int64]int](t, "value was written as map[int32]int64 and is now map[int64]int, and the key of a map stays as it is")
	refused[map[string]int, map[int]int](t, "value was written as map[string]int64 and is now map[int]int, which")
	refused[map[int]int, []pair[int, int]](t, "value was written as map[int64]int64 and is now []codec_test.pair[int,int], which")
	refused[accountV1, struct{ Owner int }](t, `field "Owner" was written as string and is now int, which cannot hold it`)
	refused[accountV1, struct{ History []struct{ Amount uint8 } }](t, `field "History[].Amount" was written as int32 and is now uint8, which`)
	refused[accountV1, struct {
		ByDay map[int16]struct{ Reason int }
	}](t, `field "ByDay[value].Reason" was written as string and is now int, which`)
	refused[accountV1, struct {
		X bool `millrace:"x,alias=Cents"`
	}](t, `field "x" was written as int32 and is now bool, which`)
	refused[struct{ A, B int }, struct {
		C int `millrace:",alias=A,alias=B"`
	}](t, `field "C" was written as struct value and is now struct { C int "millrace:\",alias=A,alias=B\"" }, and its aliases ["A" "B"] were all written; keep one of them`)
	refused[struct{ A line }, struct{ A struct{ Other int } }](t, `field "A" was written as struct line and is now struct { Other int }, which shares no field with it`)
	refused[[]byte, tiny](t, "value was written as []byte and is now codec_test.tiny, and bytes of a registered codec are read by that codec only")
	refused[tiny, []byte](t, "value was written as a type with a registered codec and is now []uint8, and bytes of a registered codec")
}

func TestAliasErrors(t *testing.T) {
	deriveError[struct {
		A int `millrace:"a,renamed=b"`
	}](t, `field value.A: tag has "renamed=b" behind the name, want alias= and the name that the field had`)
	deriveError[struct {
		A int `millrace:"a,alias=b c"`
	}](t, `field value.A: tag has "alias=b c" behind the name, want alias= and the name that the field had`)
	deriveError[struct {
		A int `millrace:",alias=B"`
		B int
	}](t, `field value.A: alias "B" is already a name of field B; drop the alias or give that field another name`)
	deriveError[struct {
		A int `millrace:",alias=x"`
		B int `millrace:",alias=x"`
	}](t, `field value.B: alias "x" is already a name of field A; drop the alias or give that field another name`)
}

// Renaming the types themselves, and defining one of them somewhere else first, changes nothing.
func TestTypeNamesDoNotMatter(t *testing.T) {
	type Other line
	type Code [4]byte
	evolves(t, struct {
		A, B *line
		C    [4]byte
	}{&line{"x", 1}, nil, [4]byte{9}}, struct {
		C    Code
		B, A *Other
	}{Code{9}, nil, &Other{"x", 1}})
}

// A type may be called like a type of Avro's.
func TestTypeNamedLikeAvros(t *testing.T) {
	type long struct{ A int32 }
	type v1 struct{ A, B long }
	schema := derive[v1](t).Schema()
	if _, err := avro.Parse(schema); err != nil {
		t.Errorf("schema %s: %v", schema, err)
	}
	evolves(t, v1{long{1}, long{2}}, struct{ B, A struct{ A int } }{struct{ A int }{2}, struct{ A int }{1}})
}

// Every schema can be read back, and reads its own bytes.
func TestResolveOwnSchema(t *testing.T) {
	evolves(t, order{ID: math.MaxUint64, Tags: map[string]int32{"a": 1}, Sets: map[int16]struct{}{3: {}}}, order{ID: math.MaxUint64, Tags: map[string]int32{"a": 1}, Sets: map[int16]struct{}{3: {}}})
	evolves(t, plain{ID: 1, Mark: [4]byte{1}}, plain{ID: 1, Mark: [4]byte{1}})
}

// Another implementation of Avro's rules agrees, where it has the same ones: a default of 0 for Go's zero value.
func TestAvroResolvesAlike(t *testing.T) {
	type v1 struct {
		Gone string
		N    int32
		F    float32
		S    string
		Old  int64
		In   []struct{ A, B int32 }
	}
	type v2 struct {
		S   []byte
		N   float64
		New int64 `millrace:",alias=Old"`
		F   float64
		Add int32
		In  []struct{ B int64 }
	}
	old := v1{"gone", 1 << 30, 1.5, "text", -9, []struct{ A, B int32 }{{1, 2}, {3, 4}}}
	src := derive[v1](t).Append(nil, &old)
	reader := strings.NewReplacer(`"v2"`, `"v1"`, "v2_In", "v1_In", `{"name":"New","type":"long"}`, `{"name":"New","aliases":["Old"],"type":"long"}`,
		`{"name":"Add","type":"int"}`, `{"name":"Add","type":"int","default":0}`).Replace(derive[v2](t).Schema())
	both, err := avro.NewSchemaCompatibility().Resolve(avro.MustParse(reader), avro.MustParse(derive[v1](t).Schema()))
	if err != nil {
		t.Fatal(err)
	}
	var theirs v2
	if err := avro.Unmarshal(both, src, &theirs); err != nil {
		t.Fatal(err)
	}
	var ours v2
	if _, err := resolve[v1, v2](t).Decode(src, unsafe.Pointer(&ours)); err != nil || !reflect.DeepEqual(ours, theirs) {
		t.Errorf("got %+v, error %v; theirs %+v", ours, err, theirs)
	}
}

func TestHostileSchemas(t *testing.T) {
	e := derive[accountV2](t)
	deep := strings.Repeat(`{"type":"array","items":`, 10_000) + `"int"` + strings.Repeat("}", 10_000)
	doubling := []string{`{"name":"a0","type":{"name":"R0","type":"record","fields":[]}}`}
	for i := 1; i < 64; i++ {
		last, next := strings.Repeat("x", i-1), strings.Repeat("x", i)
		doubling = append(doubling, `{"name":"`+next+`a","type":{"name":"R0`+next+`","type":"record","fields":[{"name":"a","type":"R0`+last+`"},{"name":"b","type":"R0`+last+`"}]}}`)
	}
	for _, schema := range []string{
		"", "null", "{", `"enum"`, `{"type":"enum","name":"E","symbols":["A"]}`, `["int","null"]`, `["null","int","long"]`, `["null",["null","int"]]`, `[]`,
		`{"name":"R","type":"record","fields":[{"name":"R","type":"R"}]}`, `{"name":"R","type":"record"}`, `{"name":"R","type":"record","fields":[1]}`,
		`{"name":"R","type":"record","fields":[{"name":"A","type":"int"},{"name":"A","type":"int"}]}`,
		`{"name":"F","type":"fixed","size":-1}`, `{"name":"F","type":"fixed","size":1e300}`, `{"type":"array","items":{"name":"F","type":"fixed","size":0}}`,
		`{"type":"int","logicalType":"uint64"}`, `{"type":"array"}`, `{"type":"map"}`, `{"type":{"type":"int"}}`, `7`, deep,
		`{"name":"D","type":"record","fields":[` + strings.Join(doubling, ",") + `]}`,
	} {
		if _, err := e.Untyped().Resolve(schema); err == nil {
			t.Errorf("no error for %.200s", schema)
		}
	}
}

// FuzzResolve reads hostile bytes as values of an older version, and hostile schemas.
func FuzzResolve(f *testing.F) {
	v1 := derive[[]accountV1](f)
	f.Add(v1.Append(nil, &[]accountV1{{Owner: "ann", History: []entryV1{{1, "a"}}, Limits: map[string]float32{"x": 1}, ByDay: map[int16]entryV1{1: {2, "b"}}}}), v1.Schema())
	f.Add(derive[accountV2](f).Append(nil, &accountV2{Balance: 1, Closed: &time.Time{}}), derive[accountV2](f).Schema())
	f.Add([]byte("\x02\x00\x00\x00\x00"), derive[order](f).Schema())
	r, e := resolve[[]accountV1, []accountV2](f), derive[[]accountV2](f)
	single := derive[accountV2](f)
	f.Fuzz(func(t *testing.T, src []byte, schema string) {
		checkResolved(t, r, e, src)
		if hostile, err := single.Untyped().Resolve(schema); err == nil {
			checkResolved(t, hostile, single, src)
		}
	})
}

// checkResolved checks that src is damaged or becomes a value that can be written and read again.
func checkResolved[T any](t *testing.T, r *codec.Resolution, e *codec.Encoding[T], src []byte) {
	var v, again T
	if _, err := r.Decode(src, unsafe.Pointer(&v)); err != nil {
		if !isDamaged(err) {
			t.Fatalf("error %v, want ErrDamaged", err)
		}
		return
	}
	enc := e.Append(nil, &v)
	if rest, err := e.Decode(enc, &again); err != nil || len(rest) > 0 || string(e.Append(nil, &again)) != string(enc) {
		t.Fatalf("%+v is read again as %+v, rest %d, error %v", v, again, len(rest), err)
	}
}
