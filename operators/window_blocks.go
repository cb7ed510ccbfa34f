package operators

import "github.com/millrace-io/millrace/state"

// A block is slices of a key that follow each other: one where panes are made of few, otherwise blockLen. A key's newest block stands
// with its paneState, older ones in a table: so a record that is nearly in order costs one look-up, a firing a fraction of one
// more, and a snapshot writes little of what did not change.
const (
	blockLen = 16
	// blocksFrom is how many slices a pane has at least for slices to share blocks.
	blocksFrom = 8
)

// paneState is what a window knows of a key that has a slice in a pane that is not done.
type paneState struct {
	Newest  int64         // slice that has records
	Block   int64         // the block that stands here, Newest's
	Due     [stages]int64 // by stage: the pane whose bucket the key is in, or never; of count windows: how many records came
	Last    int64         // no slice after it is in the table of blocks
	Touched int64         // moves when a record came to a slice that a firing has merged before
	Changed bool          // the key is listed for the next firing by processing time
}

// held is a key's state in hand, good until another key's is asked for.
type held[A any] struct {
	*paneState
	cells []cell[A] // of Block
}

// paneStore is the tables of a window: of keys, and of their older blocks.
type paneStore[K comparable, A any] interface {
	at(hash uint64, k K) (s held[A], fresh bool)
	get(hash uint64, k K) (s held[A], ok bool)
	delete(hash uint64, k K)
	scan(cursor *state.Cursor, n int, f func(k K, s *paneState)) (more bool)

	// oldGet is block n of a key for reading, nil when there is none; oldAt for writing, made when there is none. They are good until
	// the next call of one of them.
	oldGet(hash uint64, k K, n int64) []cell[A]
	oldAt(hash uint64, k K, n int64) []cell[A]
	oldDrop(hash uint64, k K, n int64)
}

// newPaneStore makes the tables for panes of width slices; blocks have 1<<bits.
func newPaneStore[K comparable, A any](e *Env, id string, width int64) (_ paneStore[K, A], bits uint, err error) {
	if width < blocksFrom {
		var t singleStore[K, A]
		err := t.open(e, id)
		return t, 0, err
	}
	var t sharedStore[K, A]
	err = t.open(e, id)
	return t, 4, err
}

// paneTables are the tables; an array of cells is a type of its own for each length.
type paneTables[K comparable, V, B any] struct {
	keys *state.Table[K, V]
	old  *state.Table[state.Numbered[K], B]
}

func (t *paneTables[K, V, B]) open(e *Env, id string) (err error) {
	if t.keys, err = state.NewTable[K, V](e.Store, id, "keys"); err != nil {
		return err
	}
	t.old, err = state.NewNumbered[K, B](e.Store, id, "slices")
	return err
}

func (t paneTables[K, V, B]) delete(hash uint64, k K) { t.keys.Delete(hash, k) }

func (t paneTables[K, V, B]) oldDrop(hash uint64, k K, n int64) {
	key := state.Numbered[K]{Key: k, Number: n}
	t.old.Delete(key.Hash(hash), key)
}

// single and shared are a key's state with its newest block.
type (
	single[A any] struct {
		State paneState
		Cells [1]cell[A]
	}
	shared[A any] struct {
		State paneState
		Cells [blockLen]cell[A]
	}
)

type singleStore[K comparable, A any] struct {
	paneTables[K, single[A], [1]cell[A]]
}

func (t singleStore[K, A]) at(hash uint64, k K) (held[A], bool) {
	v, fresh := t.keys.AtNew(hash, k)
	return held[A]{&v.State, v.Cells[:]}, fresh
}

func (t singleStore[K, A]) get(hash uint64, k K) (held[A], bool) {
	if v, ok := t.keys.Get(hash, k); ok {
		return held[A]{&v.State, v.Cells[:]}, true
	}
	return held[A]{}, false
}

func (t singleStore[K, A]) scan(cursor *state.Cursor, n int, f func(k K, s *paneState)) bool {
	return t.keys.Scan(cursor, n, func(k K, v *single[A]) { f(k, &v.State) })
}

func (t singleStore[K, A]) oldGet(hash uint64, k K, n int64) []cell[A] {
	key := state.Numbered[K]{Key: k, Number: n}
	if v, ok := t.old.Get(key.Hash(hash), key); ok {
		return v[:]
	}
	return nil
}

func (t singleStore[K, A]) oldAt(hash uint64, k K, n int64) []cell[A] {
	key := state.Numbered[K]{Key: k, Number: n}
	return t.old.At(key.Hash(hash), key)[:]
}

type sharedStore[K comparable, A any] struct {
	paneTables[K, shared[A], [blockLen]cell[A]]
}

func (t sharedStore[K, A]) at(hash uint64, k K) (held[A], bool) {
	v, fresh := t.keys.AtNew(hash, k)
	return held[A]{&v.State, v.Cells[:]}, fresh
}

func (t sharedStore[K, A]) get(hash uint64, k K) (held[A], bool) {
	if v, ok := t.keys.Get(hash, k); ok {
		return held[A]{&v.State, v.Cells[:]}, true
	}
	return held[A]{}, false
}

func (t sharedStore[K, A]) scan(cursor *state.Cursor, n int, f func(k K, s *paneState)) bool {
	return t.keys.Scan(cursor, n, func(k K, v *shared[A]) { f(k, &v.State) })
}

func (t sharedStore[K, A]) oldGet(hash uint64, k K, n int64) []cell[A] {
	key := state.Numbered[K]{Key: k, Number: n}
	if v, ok := t.old.Get(key.Hash(hash), key); ok {
		return v[:]
	}
	return nil
}

func (t sharedStore[K, A]) oldAt(hash uint64, k K, n int64) []cell[A] {
	key := state.Numbered[K]{Key: k, Number: n}
	return t.old.At(key.Hash(hash), key)[:]
}
