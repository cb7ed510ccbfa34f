package operators

import (
	"math"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// Pane is a result of a window: one value for a key and an interval of event time, the start in it and the end not. A key and a
// start are one pane: a row with both replaces the one before.
type Pane[K comparable, V any] struct {
	Key        K
	Start, End time.Time
	Value      V
}

// PaneRow tells panes apart: which row of a result a pane is.
type PaneRow[K comparable] struct {
	Key     K
	StartNS int64 // nanoseconds since the Unix epoch
}

// Row is the row that the pane is.
func (p Pane[K, V]) Row() PaneRow[K] { return PaneRow[K]{p.Key, NanosOf(p.Start)} }

// Aggregator says how the records of a pane become its value. Records come to slices of time, which several panes share, and
// panes are merged of slices: so Merge must be associative, and need not be commutative or have an inverse. The earlier
// part is a, the later b.
type Aggregator[T, A, V any] struct {
	// Add changes a in place; fresh says that a is new, and zero.
	Add func(a *A, v T, fresh bool)
	// Merge must leave what a and b point to as it is.
	Merge func(a, b A) A
	// Result must give a value that does not change when a changes later.
	Result func(a *A) V
}

// Firing says when a window emits besides the end of its time.
type Firing struct {
	// EveryRecord emits the panes of a record after each. It is what readers of changes get when nothing else is set.
	EveryRecord bool
	// Every emits the panes that changed, at this interval of processing time.
	Every time.Duration
	// Records emits a pane with every so many records that came to it.
	Records int
	// FinalOnly emits nothing before the window has closed; then, within the grace, with each late record.
	FinalOnly bool
}

// each says that readers of changes get one with each record.
func (f Firing) each() bool { return f.EveryRecord || f.Every == 0 && f.Records == 0 && !f.FinalOnly }

// WindowConfig is what a window operator does besides adding.
type WindowConfig struct {
	Grace   time.Duration // how long after its end a window still takes records
	Firing  Firing
	Finals  bool // each pane once, when it takes no more records
	Changes bool // each firing
	Before  bool // with each change the value it replaces; Firing is then EveryRecord
	All     bool // nothing is forgotten and nothing is late
}

// firing is c's with what Before means for it.
func (c WindowConfig) firing() Firing {
	if c.Before && !c.Firing.FinalOnly {
		return Firing{EveryRecord: true}
	}
	return c.Firing
}

// cell is the records of a slice of time of one key.
type cell[A any] struct {
	Marks uint64 // their number twice, and 1 if some came since the last firing by processing time
	Acc   A
}

const (
	cellChanged = 1
	cellOne     = 2
)

func (c *cell[A]) empty() bool     { return c.Marks < cellOne }
func (c *cell[A]) records() uint64 { return c.Marks / cellOne }
func joinMarks(a, b uint64) uint64 { return (a&^1 + b&^1) | (a|b)&1 }
func noPane(p int64) bool          { return p == never }

// never is the number of a pane that does not come, and the time of what does not.
const never = math.MaxInt64

// merging merges cells; an empty one changes nothing.
type merging[A any] func(a, b A) A

func (m merging[A]) cells(a, b *cell[A]) cell[A] {
	switch {
	case a.empty():
		return *b
	case b.empty():
		return *a
	}
	return cell[A]{joinMarks(a.Marks, b.Marks), m(a.Acc, b.Acc)}
}

// paneWriter emits panes of a grid.
type paneWriter[K comparable, A, V any] struct {
	env    *Env
	grid   grid
	result func(*A) V
	next   func(Pane[K, V])

	pane       int64 // whose times stand below
	known      bool
	start, end time.Time
	timeNS     int64
}

// about makes pane p's times the ones to write.
func (w *paneWriter[K, A, V]) about(p int64) {
	if w.known && w.pane == p {
		return
	}
	startNS, endNS := w.grid.pane(p)
	w.pane, w.known = p, true
	w.start, w.end = w.grid.time(startNS), w.grid.time(endNS)
	w.timeNS = endNS - 1
}

// write emits pane p of a key. The record in hand is then the pane.
func (w *paneWriter[K, A, V]) write(kind flow.Kind, hash uint64, k K, p int64, a *A) {
	w.send(kind, hash, k, p, w.result(a))
}

func (w *paneWriter[K, A, V]) send(kind flow.Kind, hash uint64, k K, p int64, v V) {
	w.about(p)
	w.env.TimeNS, w.env.Hash, w.env.Kind = w.timeNS, hash, kind
	w.next(Pane[K, V]{k, w.start, w.end, v})
}

// sendTimes emits a pane that is in no grid.
func (w *paneWriter[K, A, V]) sendTimes(kind flow.Kind, hash uint64, k K, startNS, endNS int64, v V) {
	w.env.TimeNS, w.env.Hash, w.env.Kind = endNS-1, hash, kind
	w.next(Pane[K, V]{k, w.grid.time(startNS), w.grid.time(endNS), v})
}
