package state

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/delta"
)

// What a snapshot's entries mean, for who reads one from outside of the job: each function decodes one entry that is not a
// deletion, of a state as Schemas describes it. An expiry is in Unix nanoseconds, 0 for never.

// ReadRow decodes an entry of a value state or of a table.
func ReadRow[K comparable, V any](s delta.Schema, key, value []byte) (k K, v V, expireNS int64, err error) {
	if k, err = readKey[K](key); err != nil {
		return k, v, 0, fmt.Errorf("operator %q: state %q: %w", s.Operator, s.State, err)
	}
	plain, err := codec.Derive[V]()
	if err == nil && plain.Schema() == s.Value {
		_, err = plain.Decode(value, &v)
		return k, v, 0, err
	}
	v, expireNS, err = readTimed[V](s, value)
	return k, v, expireNS, err
}

func readTimed[V any](s delta.Schema, value []byte) (v V, expireNS int64, err error) {
	values, err := codec.Derive[timed[V]]()
	if err == nil && values.Schema() != s.Value {
		err = fmt.Errorf("values are %s, asked for %s", s.Value, values.Schema())
	}
	var e timed[V]
	if err == nil {
		_, err = values.Decode(value, &e)
	}
	if err != nil {
		return v, 0, fmt.Errorf("operator %q: state %q: %w", s.Operator, s.State, err)
	}
	return e.Value, e.ExpireNS, nil
}

func readKey[K comparable](key []byte) (k K, err error) {
	keys, err := codec.KeyOf[K]()
	if err == nil {
		k, err = keys.Decode(key)
	}
	if err != nil {
		return k, fmt.Errorf("key: %w", err)
	}
	return k, nil
}

// ListElements is the name under which the elements of list state name stand in a snapshot.
func ListElements(name string) string { return name + "/elements" }

// ReadElement decodes an entry of ListElements. Numbers grow within a list.
func ReadElement[K comparable, V any](s delta.Schema, key, value []byte) (k K, number int64, v V, expireNS int64, err error) {
	outer, inner, err := splitComposite(key)
	if err == nil && len(inner) != 8 {
		err = codec.ErrDamaged
	}
	if err == nil {
		number = int64(binary.BigEndian.Uint64(inner))
		k, err = readKey[K](outer)
	}
	if err != nil {
		return k, 0, v, 0, fmt.Errorf("operator %q: state %q: %w", s.Operator, s.State, err)
	}
	v, expireNS, err = readTimed[V](s, value)
	return k, number, v, expireNS, err
}

// MapEntries is the name under which the entries of map state name stand in a snapshot.
func MapEntries(name string) string { return name + "/entries" }

// ReadMapEntry decodes an entry of MapEntries.
func ReadMapEntry[K, MK comparable, V any](s delta.Schema, key, value []byte) (k K, mk MK, v V, expireNS int64, err error) {
	outer, inner, err := splitComposite(key)
	if err == nil {
		k, err = readKey[K](outer)
	}
	if err == nil {
		mk, err = readKey[MK](inner)
	}
	values, derive := codec.Derive[mapEntry[MK, V]]()
	if err == nil {
		err = derive
	}
	if err == nil && values.Schema() != s.Value {
		err = fmt.Errorf("entries are %s, asked for %s", s.Value, values.Schema())
	}
	var e mapEntry[MK, V]
	if err == nil {
		_, err = values.Decode(value, &e)
	}
	if err != nil {
		return k, mk, v, 0, fmt.Errorf("operator %q: state %q: %w", s.Operator, s.State, err)
	}
	return k, mk, e.Value, e.ExpireNS, nil
}

// TimersOf is the name of the timers whose entries stand in a snapshot under state, when it is one of timers.
func TimersOf(state string) (name string, ok bool) { return strings.CutPrefix(state, timerState("")) }

// ReadTimer decodes an entry of timers.
func ReadTimer[K comparable](s delta.Schema, key []byte) (k K, atNS int64, err error) {
	outer, atNS, err := timerParts(stringOf(key))
	if err == nil {
		k, err = readKey[K](outer)
	}
	if err != nil {
		return k, 0, fmt.Errorf("operator %q: state %q: %w", s.Operator, s.State, err)
	}
	return k, atNS, nil
}
