package state

import (
	"fmt"
	"math"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/planted"
)

// timed is a value with the instant it expires at.
type timed[V any] struct {
	ExpireNS int64 // nanoseconds since the Unix epoch; 0 never
	Value    V
}

func instantOf[V any](e *timed[V]) int64 { return e.ExpireNS }

// lifetime is a state's time to live and the clock it is measured by.
type lifetime struct {
	clock *Clock
	ttl   time.Duration
}

// end is when a value expires that is set now; 0 never.
func (l *lifetime) end() int64 {
	if l.ttl == Forever {
		return 0
	}
	if end := l.clock.NowNS + int64(l.ttl); end > l.clock.NowNS {
		return end
	}
	return math.MaxInt64 // the sum does not fit
}

// over says whether a value is past its instant.
func (l *lifetime) over(expireNS int64) bool {
	return expireNS != 0 && expireNS <= l.clock.NowNS && !planted.On("expired-value-seen")
}

// Value is one value for each key. Its methods are about the current key and are called by the operator's user code only.
type Value[V any] struct{ slot valueSlot[V] }

type valueSlot[V any] interface {
	get() (V, bool)
	exists() bool
	set(v V)
	clear()
}

// NewValue makes the value state name of operator, bound to the key in at. A value expires ttl of processing time after it was
// set last; reading does not renew it. ttl is Forever or positive.
func NewValue[V any, K comparable](s *Store, at *At[K], operator, name string, ttl time.Duration) (*Value[V], error) {
	if err := checkHandle[V](operator, name, ttl); err != nil {
		return nil, err
	}
	keys, err := keyingOf[K]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: state %q: key: %w", operator, name, err)
	}
	values, err := codec.Derive[timed[V]]()
	if err != nil {
		return nil, fmt.Errorf("operator %q: state %q: value: %w", operator, name, err)
	}
	t, err := newTable(s, operator, name, keys, values)
	if err != nil {
		return nil, err
	}
	expire(t, ttl, instantOf[V], nil)
	return &Value[V]{&keyedValue[K, V]{at, t, lifetime{s.o.Clock, ttl}}}, nil
}

// checkHandle refuses bad names, times to live and values before anything is made.
func checkHandle[V any](operator, name string, ttl time.Duration) error {
	if err := checkName(operator, name); err != nil {
		return err
	}
	if err := checkTTL(operator, name, ttl); err != nil {
		return err
	}
	if _, err := codec.Derive[V](); err != nil {
		return fmt.Errorf("operator %q: state %q: value: %w", operator, name, err)
	}
	return nil
}

// Get is the value of the current key; false when it has none or it has expired.
func (x *Value[V]) Get() (V, bool) { return x.slot.get() }

// Exists says whether Get would find a value.
func (x *Value[V]) Exists() bool { return x.slot.exists() }

// Set gives the current key a value and begins its time to live again.
func (x *Value[V]) Set(v V) { x.slot.set(v) }

// Update sets the value to f of the present one, or of the zero value.
func (x *Value[V]) Update(f func(V) V) {
	v, _ := x.slot.get()
	x.slot.set(f(v))
}

// Clear removes the value of the current key.
func (x *Value[V]) Clear() { x.slot.clear() }

// keyedValue is a Value whose key type is known.
type keyedValue[K comparable, V any] struct {
	at    *At[K]
	table *Table[K, timed[V]]
	life  lifetime
}

func (x *keyedValue[K, V]) get() (v V, ok bool) {
	e, ok := x.table.Get(x.at.Hash, x.at.Key)
	if !ok || x.life.over(e.ExpireNS) {
		return v, false
	}
	return e.Value, true
}

func (x *keyedValue[K, V]) exists() bool {
	e, ok := x.table.Get(x.at.Hash, x.at.Key)
	return ok && !x.life.over(e.ExpireNS)
}

func (x *keyedValue[K, V]) set(v V) {
	e := x.table.At(x.at.Hash, x.at.Key)
	e.ExpireNS, e.Value = x.life.end(), v
}

func (x *keyedValue[K, V]) clear() { x.table.Delete(x.at.Hash, x.at.Key) }
