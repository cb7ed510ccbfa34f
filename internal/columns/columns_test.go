package columns_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/columns"
)

func TestOf(t *testing.T) {
	type row struct {
		Plain   string
		hidden  int
		Named   int  `csv:"one,omitempty" millrace:"two"`
		Other   bool `millrace:"three"`
		Out     int  `csv:"-"`
		Pointer *int `json:"five"`
	}
	got, err := columns.Of(reflect.TypeFor[row]())
	if err != nil {
		t.Fatal(err)
	}
	want := []columns.Field{
		{Name: "Plain", Index: 0, Type: reflect.TypeFor[string]()},
		{Name: "one", Index: 2, Type: reflect.TypeFor[int]()},
		{Name: "three", Index: 3, Type: reflect.TypeFor[bool]()},
		{Name: "Pointer", Index: 5, Type: reflect.TypeFor[*int]()},
	}
	if !reflect.DeepEqual(got, want) || (row{}).hidden != 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, err := columns.Of(reflect.TypeFor[[]string]()); got != nil || err != nil {
		t.Errorf("[]string has %+v, %v", got, err)
	}
	for _, c := range []struct {
		of   reflect.Type
		says string
	}{
		{reflect.TypeFor[int](), "use a struct, or []string"},
		{reflect.TypeFor[struct{ a int }](), "no field"},
		{reflect.TypeFor[struct {
			A int
			B int `csv:"a"`
		}](), `want the column "a"`},
	} {
		if _, err := columns.Of(c.of); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: got %v, want %q", c.of, err, c.says)
		}
	}
}
