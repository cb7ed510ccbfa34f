package sinks

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"github.com/millrace-io/millrace/flow"
)

// MemoryRows is a named table in memory that shows what a job writes while it runs: under append all rows, under update the
// rows as the changes leave them, under complete the newest table. It is the process's: a job that goes on in another process
// starts with no rows.
//
// Records that come again after a failed attempt are appended again; under update and complete they change nothing.
type MemoryRows[T any] struct {
	name string

	mu    sync.Mutex // guards what follows
	rows  []T
	gone  []bool      // by row: it was deleted
	dead  int         // how many were
	place map[any]int // by RowKey, under update
}

// memories are the tables by name.
var memories sync.Map

// Memory is an empty table under a name, which MemoryTable finds. A name that is used again is the newer table's.
func Memory[T any](name string) *MemoryRows[T] {
	m := &MemoryRows[T]{name: name, place: map[any]int{}}
	memories.Store(name, m)
	return m
}

// MemoryTable is the table of a name, false when there is none or its rows are of another type.
func MemoryTable[T any](name string) (*MemoryRows[T], bool) {
	m, _ := memories.Load(name)
	t, ok := m.(*MemoryRows[T])
	return t, ok
}

// Name is the table's name.
func (m *MemoryRows[T]) Name() string { return m.name }

// Rows is a copy of the rows, in the order in which they came first.
func (m *MemoryRows[T]) Rows() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := make([]T, 0, len(m.rows)-m.dead)
	for i, r := range m.rows {
		if !m.isGone(i) {
			rows = append(rows, r)
		}
	}
	return rows
}

// Len is the number of rows.
func (m *MemoryRows[T]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rows) - m.dead
}

// Modes implements Moder: changes can be applied to rows that say which ones they replace.
func (m *MemoryRows[T]) Modes() []Mode {
	if reflect.TypeFor[T]().Implements(reflect.TypeFor[Keyed]()) {
		return []Mode{Append, Update, Complete}
	}
	return []Mode{Append, Complete}
}

// Check implements Checker.
func (m *MemoryRows[T]) Check(context.Context) error {
	if m == nil || m.name == "" {
		return errors.New("memory: no name")
	}
	return nil
}

// Guarantee implements Guarantor.
func (m *MemoryRows[T]) Guarantee() string { return "at-least-once" }

// Open implements Sink.
func (m *MemoryRows[T]) Open(_ context.Context, at Instance) (Writer[T], error) {
	return &memoryWriter[T]{to: m, mode: at.Mode}, nil
}

func (m *MemoryRows[T]) isGone(i int) bool { return i < len(m.gone) && m.gone[i] }

// put adds a row, or replaces the one it says.
func (m *MemoryRows[T]) put(key any, v T) {
	if i, ok := m.place[key]; ok {
		m.rows[i] = v
		return
	}
	m.place[key] = len(m.rows)
	m.rows = append(m.rows, v)
}

// remove deletes a row. The rows close up when half of them are gone.
func (m *MemoryRows[T]) remove(key any) {
	i, ok := m.place[key]
	if !ok {
		return
	}
	delete(m.place, key)
	for len(m.gone) < len(m.rows) {
		m.gone = append(m.gone, false)
	}
	m.gone[i] = true
	if m.dead++; m.dead*2 < len(m.rows) {
		return
	}
	places := make([]int, len(m.rows)) // where each goes
	n := 0
	for i, r := range m.rows {
		places[i] = n
		if !m.gone[i] {
			m.rows[n] = r
			n++
		}
	}
	for key, i := range m.place {
		m.place[key] = places[i]
	}
	clear(m.rows[n:])
	m.rows, m.gone, m.dead = m.rows[:n], m.gone[:0], 0
}

// memoryWriter writes one task's records. It never blocks.
type memoryWriter[T any] struct {
	to    *MemoryRows[T]
	mode  Mode
	batch []Row[T] // under complete: of the table that is coming
}

func (w *memoryWriter[T]) Inline() {}

func (w *memoryWriter[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	if w.mode == Complete {
		w.batch = appendRows(w.batch, b)
		return nil
	}
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	for i := range b.Records {
		v := b.Records[i].Value
		if w.mode != Update {
			w.to.rows = append(w.to.rows, v)
			continue
		}
		row, ok := any(v).(Keyed)
		if !ok {
			return errors.New("memory: update with a nil row")
		}
		switch b.KindOf(i) {
		case flow.Delete:
			w.to.remove(row.RowKey())
		case flow.UpdateBefore: // the value behind it replaces the row
		default:
			w.to.put(row.RowKey(), v)
		}
	}
	return nil
}

// EndBatch shows the table that has come.
func (w *memoryWriter[T]) EndBatch(context.Context, int64) error {
	if w.mode != Complete || len(w.batch) == 0 {
		return nil
	}
	var rows []T
	for _, r := range w.batch {
		if r.Kind != flow.Delete {
			rows = append(rows, r.Value)
		}
	}
	w.batch = w.batch[:0]
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	w.to.rows = rows
	return nil
}

func (w *memoryWriter[T]) Flush(context.Context) error { return nil }
func (w *memoryWriter[T]) Close() error                { return nil }
