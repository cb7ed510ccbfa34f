package operators

import (
	"reflect"

	"github.com/millrace-io/millrace/state"
)

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
	Touched int64         // moves when a slice changes that a firing may have merged before
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
	// offsets appends where in a key's state a firing reads that needs slice j: none of these is the beginning.
	offsets(dst []uintptr, j int64) []uintptr
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
		t, err := openPanes[K](e, id, func(b *[1]cell[A]) []cell[A] { return b[:] })
		return t, 0, err
	}
	t, err := openPanes[K](e, id, func(b *[blockLen]cell[A]) []cell[A] { return b[:] })
	return t, 4, err
}

// paneTables are the tables for blocks of type B, an array of cells: one of each length is a type of its own.
type paneTables[K comparable, A, B any] struct {
	keys  *state.Table[K, keyed[B]]
	old   *state.Table[state.Numbered[K], B]
	cells func(*B) []cell[A]

	first, size uintptr // where in keyed the cells begin, and how long each is
	len         int64   // of a block
}

// keyed is a key's state with its newest block.
type keyed[B any] struct {
	State paneState
	Cells B
}

func openPanes[K comparable, A, B any](e *Env, id string, cells func(*B) []cell[A]) (*paneTables[K, A, B], error) {
	keys, err := state.NewTable[K, keyed[B]](e.Store, id, "keys")
	if err != nil {
		return nil, err
	}
	old, err := state.NewNumbered[K, B](e.Store, id, "slices")
	t := &paneTables[K, A, B]{keys: keys, old: old, cells: cells, len: int64(len(cells(new(B))))}
	t.first, t.size = reflect.TypeFor[keyed[B]]().Field(1).Offset, reflect.TypeFor[cell[A]]().Size()
	return t, err
}

func (t *paneTables[K, A, B]) at(hash uint64, k K) (held[A], bool) {
	v, fresh := t.keys.AtNew(hash, k)
	return held[A]{&v.State, t.cells(&v.Cells)}, fresh
}

func (t *paneTables[K, A, B]) get(hash uint64, k K) (held[A], bool) {
	if v, ok := t.keys.Get(hash, k); ok {
		return held[A]{&v.State, t.cells(&v.Cells)}, true
	}
	return held[A]{}, false
}

func (t *paneTables[K, A, B]) offsets(dst []uintptr, j int64) []uintptr {
	return append(dst, t.first, t.first+uintptr(j&(t.len-1))*t.size)
}

func (t *paneTables[K, A, B]) delete(hash uint64, k K) { t.keys.Delete(hash, k) }

func (t *paneTables[K, A, B]) scan(cursor *state.Cursor, n int, f func(k K, s *paneState)) bool {
	return t.keys.Scan(cursor, n, func(k K, v *keyed[B]) { f(k, &v.State) })
}

func (t *paneTables[K, A, B]) oldGet(hash uint64, k K, n int64) []cell[A] {
	key := state.Numbered[K]{Key: k, Number: n}
	if b, ok := t.old.Get(key.Hash(hash), key); ok {
		return t.cells(b)
	}
	return nil
}

func (t *paneTables[K, A, B]) oldAt(hash uint64, k K, n int64) []cell[A] {
	key := state.Numbered[K]{Key: k, Number: n}
	return t.cells(t.old.At(key.Hash(hash), key))
}

func (t *paneTables[K, A, B]) oldDrop(hash uint64, k K, n int64) {
	key := state.Numbered[K]{Key: k, Number: n}
	t.old.Delete(key.Hash(hash), key)
}
