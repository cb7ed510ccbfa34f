package codec

import "reflect"

// integerType is the range of a Go integer. Avro has int and long; a logical type of the Go name tells the others apart, so
// that a change to a narrower type is found in the schemas and not in the values.
type integerType struct {
	kind    string // Avro's
	logical string // "" of int32 and int64, which are Avro's own
	bits    int
	signed  bool
}

var integers = []integerType{
	{"int", "int8", 8, true},
	{"int", "int16", 16, true},
	{"int", "", 32, true},
	{"long", "", 64, true},
	{"int", "uint8", 8, false},
	{"int", "uint16", 16, false},
	{"long", "uint32", 32, false},
	{"long", "uint64", 64, false},
}

// integerOf is the type of an integer's kind. An int is written as an int64, whatever it has in memory.
func integerOf(k reflect.Kind) integerType {
	bits := map[reflect.Kind]int{
		reflect.Int8: 8, reflect.Int16: 16, reflect.Int32: 32, reflect.Uint8: 8, reflect.Uint16: 16, reflect.Uint32: 32,
	}[k]
	if bits == 0 {
		bits = 64
	}
	signed := k >= reflect.Int && k <= reflect.Int64
	for _, i := range integers {
		if i.bits == bits && i.signed == signed {
			return i
		}
	}
	panic("invariant: integer of an unknown size")
}

// integerIn is the type of an integer's schema.
func integerIn(s *schema) (integerType, bool) {
	for _, i := range integers {
		if i.kind == s.kind && i.logical == s.logical {
			return i, true
		}
	}
	return integerType{}, false
}

func (i integerType) schema() *schema { return &schema{kind: i.kind, logical: i.logical} }

// goName is what the type is called in errors.
func (i integerType) goName() string {
	switch {
	case i.logical != "":
		return i.logical
	case i.bits == 32:
		return "int32"
	}
	return "int64"
}

// fits says whether every value of i is one of j.
func (i integerType) fits(j integerType) bool {
	if i.signed == j.signed {
		return i.bits <= j.bits
	}
	return !i.signed && i.bits < j.bits
}

// holds says whether a long, as it was read, is a value of i. Those of 64 unsigned bits are bit patterns.
func (i integerType) holds(v int64) bool {
	switch {
	case i.bits == 64:
		return true
	case i.signed:
		return v>>(i.bits-1) == 0 || v>>(i.bits-1) == -1
	}
	return v>>i.bits == 0
}
