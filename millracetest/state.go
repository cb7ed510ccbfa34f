package millracetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/state"
)

// blocksMax is how many blocks there may be before they are folded.
const blocksMax = 1024

// cell names an entry of the job's state.
type cell struct {
	operator, state string
	group           flow.KeyGroup
	key             string
}

// image is the state that blocks make, oldest first.
func image(blocks []delta.Block) map[cell][]byte {
	all := map[cell][]byte{}
	for _, b := range blocks {
		for data := b.Data; len(data) > 0; {
			key, value, deleted, rest, err := delta.Next(data)
			if err != nil {
				panic(fmt.Sprintf("invariant: snapshot of operator %q, state %q: %v", b.Operator, b.State, err))
			}
			c := cell{b.Operator, b.State, b.Group, string(key)}
			if all[c] = value; deleted {
				delete(all, c)
			}
			data = rest
		}
	}
	return all
}

// cells lists the entries of one state, or of all when operator is empty, in order: nothing may depend on that of a Go map.
func cells(all map[cell][]byte) []cell {
	list := make([]cell, 0, len(all))
	for c := range all {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.operator, b.operator), cmp.Compare(a.state, b.state), cmp.Compare(a.group, b.group), cmp.Compare(a.key, b.key))
	})
	return list
}

// fold makes as few blocks as there can be.
func fold(blocks []delta.Block) (folded []delta.Block) {
	all := image(blocks)
	for _, c := range cells(all) {
		last := len(folded) - 1
		if last < 0 || folded[last].Operator != c.operator || folded[last].State != c.state || folded[last].Group != c.group {
			folded = append(folded, delta.Block{Operator: c.operator, State: c.state, Group: c.group})
			last++
		}
		folded[last].Data = delta.AppendPut(folded[last].Data, []byte(c.key), all[c])
		folded[last].Count++
	}
	return folded
}

// each calls f with the entries of a state, as a snapshot taken now has them.
func (s *Script) each(operator, name string, f func(sc delta.Schema, key, value []byte) error) {
	s.t.Helper()
	s.ready()
	sc, ok := s.schema(operator, name)
	if !ok {
		s.t.Fatalf("millracetest: operator %q has no state %q; the job has %s", operator, name, s.states())
	}
	s.Snapshot()
	all := image(s.blocks)
	for _, c := range cells(all) {
		if c.operator != operator || c.state != name {
			continue
		}
		if err := f(sc, []byte(c.key), all[c]); err != nil {
			s.t.Fatalf("millracetest: %v", err)
		}
	}
}

func (s *Script) schema(operator, name string) (delta.Schema, bool) {
	for _, t := range s.at.Tasks() {
		for _, sc := range t.Env.Store.Schemas() {
			if sc.Operator == operator && sc.State == name {
				return sc, true
			}
		}
	}
	return delta.Schema{}, false
}

func (s *Script) states() (all []string) {
	for _, t := range s.at.Tasks() {
		for _, sc := range t.Env.Store.Schemas() {
			all = append(all, sc.Operator+"/"+sc.State)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (s *Script) lives(expireNS int64) bool { return expireNS == 0 || expireNS > time.Now().UnixNano() }

// Entries is how many entries the states of an operator have, in a snapshot taken now: what it remembers. What has expired is
// among them until it is cleaned.
func (s *Script) Entries(operator string) (n int) {
	s.t.Helper()
	s.ready()
	s.Snapshot()
	for c := range image(s.blocks) {
		if c.operator == operator && c.state != actors.WatermarkState {
			n++
		}
	}
	return n
}

// State is the rows of a value state, or of an operator's table, by key. What has expired is not among them.
func (s *Script) State[K comparable, V any](operator, name string) map[K]V {
	s.t.Helper()
	rows := map[K]V{}
	s.each(operator, name, func(sc delta.Schema, key, value []byte) error {
		k, v, expireNS, err := state.ReadRow[K, V](sc, key, value)
		if err == nil && s.lives(expireNS) {
			rows[k] = v
		}
		return err
	})
	return rows
}

// ListState is the lists of a list state by key, without what has expired.
func (s *Script) ListState[K comparable, V any](operator, name string) map[K][]V {
	s.t.Helper()
	lists := map[K][]V{}
	s.each(operator, state.ListElements(name), func(sc delta.Schema, key, value []byte) error { // by key and number
		k, _, v, expireNS, err := state.ReadElement[K, V](sc, key, value)
		if err == nil && s.lives(expireNS) {
			lists[k] = append(lists[k], v)
		}
		return err
	})
	return lists
}

// MapState is the maps of a map state by key, without what has expired.
func (s *Script) MapState[K, MK comparable, V any](operator, name string) map[K]map[MK]V {
	s.t.Helper()
	maps := map[K]map[MK]V{}
	s.each(operator, state.MapEntries(name), func(sc delta.Schema, key, value []byte) error {
		k, mk, v, expireNS, err := state.ReadMapEntry[K, MK, V](sc, key, value)
		if err == nil && s.lives(expireNS) {
			if maps[k] == nil {
				maps[k] = map[MK]V{}
			}
			maps[k][mk] = v
		}
		return err
	})
	return maps
}

// Timer is a timer that is set.
type Timer[K comparable] struct {
	Key  K
	Name string
	At   time.Time // UTC
}

// Timers lists the timers of an operator by time and name.
func (s *Script) Timers[K comparable](operator string) (all []Timer[K]) {
	s.t.Helper()
	s.ready()
	for _, full := range s.timerStates(operator) {
		name, _ := state.TimersOf(full)
		s.each(operator, full, func(sc delta.Schema, key, _ []byte) error {
			k, ns, err := state.ReadTimer[K](sc, key)
			all = append(all, Timer[K]{k, name, time.Unix(0, ns).UTC()})
			return err
		})
	}
	slices.SortStableFunc(all, func(a, b Timer[K]) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name)) })
	return all
}

func (s *Script) timerStates(operator string) (names []string) {
	for _, t := range s.at.Tasks() {
		for _, sc := range t.Env.Store.Schemas() {
			if _, ok := state.TimersOf(sc.State); ok && sc.Operator == operator {
				names = append(names, sc.State)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
