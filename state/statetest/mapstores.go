package statetest

import (
	"slices"
	"sort"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// MapStores are byte stores in Go maps. The byte slices that they hand out are overwritten at the next call, as those of a real
// store may be.
type MapStores struct{}

// Open gives an empty store.
func (MapStores) Open(operator, name string) (state.ByteStore, error) {
	return &mapStore{groups: map[flow.KeyGroup]map[string]string{}}, nil
}

type mapStore struct {
	groups map[flow.KeyGroup]map[string]string
	lent   [][]byte
}

// reclaim spoils what was lent out before.
func (s *mapStore) reclaim() {
	for _, b := range s.lent {
		for i := range b {
			b[i] = 0xdb
		}
	}
	s.lent = s.lent[:0]
}

func (s *mapStore) lend(v string) []byte {
	b := []byte(v)
	s.lent = append(s.lent, b)
	return b
}

func (s *mapStore) Get(group flow.KeyGroup, key, dst []byte) ([]byte, bool, error) {
	s.reclaim()
	v, ok := s.groups[group][string(key)]
	return append(dst, v...), ok, nil
}

func (s *mapStore) Write(batch []state.Write) error {
	s.reclaim()
	for _, w := range batch {
		if s.groups[w.Group] == nil {
			s.groups[w.Group] = map[string]string{}
		}
		if w.Delete {
			delete(s.groups[w.Group], string(w.Key))
		} else {
			s.groups[w.Group][string(w.Key)] = string(w.Value)
		}
	}
	return nil
}

func (s *mapStore) Scan(group flow.KeyGroup, after []byte, f func(key, value []byte) bool) error {
	s.reclaim()
	var keys []string
	for k := range s.groups[group] {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if after != nil {
		keys = keys[sort.Search(len(keys), func(i int) bool { return keys[i] > string(after) }):]
	}
	for _, k := range keys {
		more := f(s.lend(k), s.lend(s.groups[group][k]))
		s.reclaim()
		if !more {
			break
		}
	}
	return nil
}
