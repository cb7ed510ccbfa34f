package codec_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/millrace-io/millrace/codec"
)

type (
	loop      struct{ Next []*loop }
	hidden    struct{ A, b int } //nolint:unused // Derive must refuse it by name
	waiting   struct{ Done chan int }
	deepError struct{ A []map[string]*waiting }
	unnamed   struct{ Å int }
	twice     struct {
		A int
		B int `millrace:"A"`
	}
	spaced struct {
		A int `millrace:"a b"`
	}
)

func deriveError[T any](t *testing.T, want string) {
	t.Helper()
	_, err := codec.Derive[T]()
	checkError(t, err, want)
}

func keyError[K comparable](t *testing.T, want string) {
	t.Helper()
	_, err := codec.KeyOf[K]()
	checkError(t, err, want)
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %s", want)
	} else if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestDeriveErrors(t *testing.T) {
	const remedy = " cannot be encoded; register a codec for it or keep it out of the record"
	deriveError[waiting](t, "field waiting.Done: chan int"+remedy)
	deriveError[*waiting](t, "field waiting.Done: chan int"+remedy)
	deriveError[deepError](t, "field deepError.A[][value].Done: chan int"+remedy)
	deriveError[struct{ F func(int) error }](t, "field value.F: func(int) error"+remedy)
	deriveError[struct{ E error }](t, "field value.E: error"+remedy)
	deriveError[any](t, "interface {}"+remedy)
	deriveError[chan int](t, "chan int"+remedy)
	deriveError[[]complex128](t, "field value[]: complex128"+remedy)
	deriveError[pair[int, unsafe.Pointer]](t, "field pair[int,Pointer].Second: unsafe.Pointer"+remedy)
	deriveError[uintptr](t, "uintptr"+remedy)
	deriveError[loop](t, "field loop.Next[]: codec_test.loop contains itself and"+remedy)
	deriveError[hidden](t, "field hidden.b is not exported; export it, tag it `millrace:\"-\"` to leave it out, or register a codec for the struct")
	deriveError[unnamed](t, "field unnamed.Å: name \"Å\" has more than letters, digits and _; rename it with the tag `millrace:\"name\"`")
	deriveError[spaced](t, "field spaced.A: name \"a b\" has more than letters, digits and _; rename it with the tag `millrace:\"name\"`")
	deriveError[twice](t, "field twice.B: name \"A\" is already that of field A; rename one with the tag `millrace:\"name\"`")
	deriveError[struct{ P **int }](t, "field value.P: **int is a pointer to a pointer, which has no encoding; use one pointer or a struct between them")
	deriveError[struct{ S []struct{} }](t, "field value.S: []struct {} has elements without content; keep a count instead")
	deriveError[[][0]byte](t, "[][0]uint8 has elements without content; keep a count instead")
	deriveError[[1 << 40]struct{}](t, "[1099511627776]struct {} has elements without content; keep a count instead")
	deriveError[map[struct{}]int](t, "map[struct {}]int has keys without content")
	deriveError[struct{ M map[float64]int }](t, "key value.M[key]: float64 cannot be part of a key, since NaN is not equal to itself; round it to an integer or format it")
	deriveError[struct{ M map[time.Time]int }](t, "key value.M[key]: time.Time cannot be part of a map's key, since equal instants can be different keys; use its UnixNano")
	deriveError[map[struct {
		A int
		b int `millrace:"-"`
	}]int](t, "key value[key]: struct { A int; b int \"millrace:\\\"-\\\"\" } has a field that is left out, so that different keys would be one")
}

func TestKeyErrors(t *testing.T) {
	const remedy = " cannot be part of a key; use strings, integers, bools, byte arrays, times and structs of these"
	keyError[float64](t, "float64 cannot be part of a key, since NaN is not equal to itself; round it to an integer or format it")
	keyError[struct{ P struct{ Price float32 } }](t, "key value.P.Price: float32 cannot be part of a key, since NaN is not equal to itself; round it to an integer or format it")
	keyError[*int](t, "*int"+remedy)
	keyError[any](t, "interface {}"+remedy)
	keyError[pair[string, [2]string]](t, "key pair[string,[2]string].Second: [2]string"+remedy)
	keyError[waiting](t, "key waiting.Done: chan int"+remedy)
	keyError[hidden](t, "field hidden.b is not exported; export it, tag it `millrace:\"-\"` to leave it out, or register a codec for the struct")
}

// A type of 120 levels is refused rather than followed.
func TestDeriveDepth(t *testing.T) {
	type d1[T any] struct{ A []T }
	type d5[T any] struct{ A [][][][][]T }
	type d20[T any] d5[d5[d5[d5[T]]]]
	if _, err := codec.Derive[d20[d20[d20[int]]]](); err != nil {
		t.Error(err)
	}
	if _, err := codec.Derive[d20[d20[d20[d20[d20[d1[int]]]]]]](); err == nil {
		t.Error("no error for 120 levels")
	}
}
