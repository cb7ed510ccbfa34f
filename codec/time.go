package codec

import (
	"cmp"
	"reflect"
	"time"
	"unsafe"
)

var timeType = reflect.TypeFor[time.Time]()

const nanosPerSecond = 1_000_000_000

// time compiles a time: a record of the seconds since 1970, which reach further than any calendar, and the nanoseconds of the
// second, 0 to 999,999,999. A count of nanoseconds alone would reach from 1678 to 2261.
func (d *deriver) time() *node {
	return &node{
		min: 2,
		schema: &schema{kind: "record", name: d.unique("Time"), logical: logicalTime, fields: []member{
			{"seconds", primitive("long")}, {"nanos", primitive("int")},
		}},
		append: func(dst []byte, p unsafe.Pointer) []byte {
			t := (*time.Time)(p)
			return appendLong(appendLong(dst, t.Unix()), int64(t.Nanosecond()))
		},
		decode: decodeTime,
	}
}

func decodeTime(src []byte, p unsafe.Pointer) ([]byte, error) {
	seconds, rest, err := readLong(src)
	if err != nil {
		return nil, err
	}
	nanos, rest, err := readLong(rest)
	if err != nil {
		return nil, err
	}
	if nanos < 0 || nanos >= nanosPerSecond {
		return nil, damaged("time has %d nanoseconds in its second", nanos)
	}
	*(*time.Time)(p) = time.Unix(seconds, nanos).UTC()
	return rest, nil
}

// compareTimes orders instants. It does not look at monotonic readings, which are not written.
func compareTimes(a, b time.Time) int {
	return cmp.Or(cmp.Compare(a.Unix(), b.Unix()), cmp.Compare(a.Nanosecond(), b.Nanosecond()))
}

// timeWord is an instant for hashing: its nanoseconds since 1970 in 64 bits, which wrap.
func timeWord(t time.Time) uint64 { return uint64(t.Unix())*nanosPerSecond + uint64(t.Nanosecond()) }
