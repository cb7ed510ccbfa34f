package state

import (
	"errors"
	"iter"
	"time"

	"github.com/millrace-io/millrace/internal/delta"
)

var errUnbuilt = errors.New("not built yet")

// Store holds the named states of all operators of one task.
type Store struct{ o Options }

func NewStore(o Options) *Store                  { return &Store{o.withDefaults()} }
func (s *Store) Freeze()                         {}
func (s *Store) Active() bool                    { return false }
func (s *Store) Step(entries int) (done bool)    { return true }
func (s *Store) Take() []delta.Block             { return nil }
func (s *Store) Recycle(blocks []delta.Block)    {}
func (s *Store) Schemas() []delta.Schema         { return nil }
func (s *Store) Restore(b delta.Block) error     { return errUnbuilt }
func (s *Store) Restored() error                 { return errUnbuilt }
func (s *Store) Clean(entries int) (removed int) { return 0 }
func (s *Store) Entries() int                    { return 0 }
func (s *Store) Bytes() int64                    { return 0 }
func NewTable[K comparable, V any](s *Store, operator, name string) (Table[K, V], error) {
	return nil, errUnbuilt
}

type Value[V any] struct{}

func NewValue[V any, K comparable](s *Store, at *At[K], operator, name string, ttl time.Duration) (*Value[V], error) {
	return nil, errUnbuilt
}
func (x *Value[V]) Get() (v V, ok bool) { return }
func (x *Value[V]) Set(v V)             {}
func (x *Value[V]) Update(f func(V) V)  {}
func (x *Value[V]) Clear()              {}

type List[V any] struct{}

func NewList[V any, K comparable](s *Store, at *At[K], operator, name string, ttl time.Duration) (*List[V], error) {
	return nil, errUnbuilt
}
func (x *List[V]) Len() int         { return 0 }
func (x *List[V]) All() iter.Seq[V] { return nil }
func (x *List[V]) Append(vs ...V)   {}
func (x *List[V]) Put(vs ...V)      {}
func (x *List[V]) Clear()           {}

type Map[MK comparable, V any] struct{}

func NewMap[MK comparable, V any, K comparable](s *Store, at *At[K], operator, name string, ttl time.Duration) (*Map[MK, V], error) {
	return nil, errUnbuilt
}
func (x *Map[MK, V]) Get(k MK) (v V, ok bool) { return }
func (x *Map[MK, V]) Contains(k MK) bool      { return false }
func (x *Map[MK, V]) Set(k MK, v V)           {}
func (x *Map[MK, V]) Delete(k MK) bool        { return false }
func (x *Map[MK, V]) Len() int                { return 0 }
func (x *Map[MK, V]) All() iter.Seq2[MK, V]   { return nil }
func (x *Map[MK, V]) Keys() iter.Seq[MK]      { return nil }
func (x *Map[MK, V]) Values() iter.Seq[V]     { return nil }
func (x *Map[MK, V]) Clear()                  {}

type Timers[K comparable] struct{}

func NewTimers[K comparable](s *Store, at *At[K], operator string) (*Timers[K], error) {
	return nil, errUnbuilt
}
func (t *Timers[K]) Register(name string, domain TimerDomain) (TimerID, error) { return 0, nil }
func (t *Timers[K]) Set(id TimerID, atNS int64)                                {}
func (t *Timers[K]) Delete(id TimerID, atNS int64)                             {}
func (t *Timers[K]) List(id TimerID) iter.Seq[int64]                           { return nil }
func (t *Timers[K]) NextNS(domain TimerDomain) int64                           { return 0 }
func (t *Timers[K]) Due(domain TimerDomain, nowNS int64) (key K, hash uint64, id TimerID, atNS int64, ok bool) {
	return
}
