package state

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// Store holds the named states of all operators of one task. The task's loop alone calls it, and the handles on it.
//
// A snapshot is Freeze, Step until it is done, Take; between these the states are used as always. A restore is Restore for
// each block, from the base to the newest delta, then Restored, before anything else is done with the states.
type Store struct {
	o      Options
	states []namedState
	byName map[stateName]namedState

	frozen   bool // between Freeze and Take
	stepping int  // the state that Step is at; len(states) when the snapshot is complete
	cleaning int  // the state that Clean begins with

	spare    [][]byte // buffers for the blocks to come
	cached   int64    // estimated bytes in the caches of paged states
	caches   []cache
	restores []func() error // what handles rebuild after a restore
	derived  []*core        // tables made anew after a restore, which are no states
}

type stateName struct{ operator, name string }

// namedState is a table as its store knows it, whatever its types.
type namedState interface {
	id() (operator, name string)
	describe() delta.Schema
	evolve(writer string) (*Evolution, error)
	freeze()
	step(n int) int
	take(dst []delta.Block) []delta.Block
	restore(group flow.KeyGroup, count int, data []byte) error
	restored() error
	cleanUp(n int) (removed int)
	entries() int
	bytes() int64
}

// NewStore makes the empty store of a task.
func NewStore(o Options) *Store {
	return &Store{o: o.withDefaults(), byName: map[stateName]namedState{}}
}

// Groups is the range of key groups this store owns.
func (s *Store) Groups() flow.GroupRange { return s.o.Groups }

// KeyGroups is the number of key groups of the lineage.
func (s *Store) KeyGroups() int { return s.o.KeyGroups }

func (s *Store) add(t namedState) {
	operator, name := t.id()
	s.states = append(s.states, t)
	s.byName[stateName{operator, name}] = t
}

// Freeze begins the snapshot of what has changed since the last Freeze, in constant time for each state. It panics if the
// blocks of the last snapshot have not been taken, or if the store is volatile.
func (s *Store) Freeze() {
	if s.frozen {
		panic("invariant: freeze while a snapshot is running")
	}
	if s.o.Volatile {
		panic("invariant: freeze of a volatile store")
	}
	for _, t := range s.states {
		t.freeze()
	}
	s.frozen, s.stepping = true, 0
}

// Active says whether Step has work left.
func (s *Store) Active() bool { return s.frozen && s.stepping < len(s.states) }

// Step encodes at most entries frozen entries and says whether the snapshot is complete.
func (s *Store) Step(entries int) (done bool) {
	for s.Active() {
		entries -= s.states[s.stepping].step(entries)
		if entries == 0 {
			return false
		}
		s.stepping++
	}
	return true
}

// Take gives the blocks of the complete snapshot, one for each state and key group that changed. The caller owns them, and
// gives them back by Recycle when their bytes are no longer needed.
func (s *Store) Take() []delta.Block {
	if !s.frozen || s.Active() {
		panic("invariant: take without a complete snapshot")
	}
	s.frozen = false
	var blocks []delta.Block
	for _, t := range s.states {
		blocks = t.take(blocks)
	}
	return blocks
}

// spareBuffersMax and spareBufferBytesMax bound the memory kept for later blocks.
const spareBuffersMax, spareBufferBytesMax = 1024, 256 << 10

// Recycle takes the buffers of blocks for later ones.
func (s *Store) Recycle(blocks []delta.Block) {
	for i := range blocks {
		if b := blocks[i].Data; len(s.spare) < spareBuffersMax && 0 < cap(b) && cap(b) <= spareBufferBytesMax {
			s.spare = append(s.spare, b[:0])
		}
		blocks[i].Data = nil
	}
}

func (s *Store) spareBytes() []byte {
	n := len(s.spare)
	if n == 0 {
		return nil
	}
	b := s.spare[n-1]
	s.spare = s.spare[:n-1]
	return b
}

// Schemas describes all states, in the order they were made.
func (s *Store) Schemas() []delta.Schema {
	all := make([]delta.Schema, len(s.states))
	for i, t := range s.states {
		all[i] = t.describe()
	}
	return all
}

// Restore applies a block; of several entries with one key the last wins. Blocks of key groups that the store does not own are
// passed over. A state that no operator has made is an error, as are damaged bytes.
func (s *Store) Restore(b delta.Block) error {
	if !s.o.Groups.Contains(b.Group) {
		return nil
	}
	t := s.byName[stateName{b.Operator, b.State}]
	if t == nil {
		return fmt.Errorf("restore operator %q: state %q is in the snapshot but not in the job; "+
			"keep the operator's id and its state, or start without the snapshot", b.Operator, b.State)
	}
	if err := recovered(func() error { return t.restore(b.Group, b.Count, b.Data) }); err != nil {
		return fmt.Errorf("restore operator %q: state %q, key group %d: %w", b.Operator, b.State, b.Group, err)
	}
	return nil
}

// Restored ends a restore: expiry queues and timers are rebuilt.
func (s *Store) Restored() error {
	for _, t := range s.states {
		if err := recovered(t.restored); err != nil {
			operator, name := t.id()
			return fmt.Errorf("restore operator %q: state %q: %w", operator, name, err)
		}
	}
	for _, f := range s.restores {
		if err := recovered(f); err != nil {
			return err
		}
	}
	return nil
}

// recovered turns the Failure that f panics with into an error.
func recovered(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			failure, ok := r.(Failure)
			if !ok {
				panic(r)
			}
			err = failure.Err
		}
	}()
	return f()
}

// Clean removes at most n expired entries, fairly over the states, and says how many it removed. Reads never see expired
// entries, cleaned or not; cleaning frees their memory and puts their deletion into the next snapshot.
func (s *Store) Clean(n int) (removed int) {
	for range s.states {
		if removed >= n {
			break
		}
		s.cleaning = (s.cleaning + 1) % len(s.states)
		removed += s.states[s.cleaning].cleanUp(n - removed)
	}
	return removed
}

// Entries is the number of entries in all states. List elements, map entries and timers count one each, lists and maps one more.
func (s *Store) Entries() int {
	n := 0
	for _, t := range s.states {
		n += t.entries()
	}
	return n
}

// Bytes estimates the memory that all states take.
func (s *Store) Bytes() int64 {
	n := int64(0)
	for _, t := range s.states {
		n += t.bytes()
	}
	return n
}

func checkName(operator, name string) error {
	if operator == "" || name == "" {
		return fmt.Errorf("operator %q: state %q: %w", operator, name, errNoName)
	}
	for _, c := range []byte(name) {
		if c == '/' {
			return fmt.Errorf("operator %q: state %q: %w", operator, name, errSlash)
		}
	}
	return nil
}

var errSlash = errors.New("a state's name may not have a slash")
