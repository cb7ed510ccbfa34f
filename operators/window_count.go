package operators

import (
	"time"

	"github.com/millrace-io/millrace/flow"
)

// counts is the operator of count windows: panes over slices of the numbers of a key's records, instead of times.
type counts[K comparable, T, A, V any] struct {
	aligned[K, T, A, V]
	held map[K]*front[A] // of keys whose panes are made of several slices; not in snapshots
}

// NewCounts compiles windows of the last size records of a key, one at every every-th record, for one task. Panes carry the numbers
// of their records, from 0, as nanoseconds since the Unix epoch; records that they emit have the event time of the record that
// completed them.
func NewCounts[K comparable, T, A, V any](
	e *Env, id string, size, every int64, c WindowConfig, key func(T) K, a Aggregator[T, A, V], next func(Pane[K, V]),
) (func(T), error) {
	base, err := newAligned(e, id, Sliding(time.Duration(size), time.Duration(every), time.Duration(-size%every)), c, key, a, nil, next)
	if err != nil {
		return nil, err
	}
	x := &counts[K, T, A, V]{aligned: *base, held: map[K]*front[A]{}}
	return x.process, nil
}

// seen is where a key's state has the number of its records.
const seen = closing

func (x *counts[K, T, A, V]) process(v T) {
	k, hash := x.key(v), x.env.Hash
	s, fresh := x.keys.at(hash, k)
	number := s.Due[seen]
	s.Due[seen]++
	j, _, _, covered := x.grid.locate(number)
	if fresh {
		x.begin(s, j)
	}
	if !covered {
		x.env.Filtered++
		return
	}
	c := x.writing(s, hash, k, j)
	x.add(&c.Acc, v, c.empty())
	c.Marks += cellOne
	p := x.grid.open(number+1) - 1
	if _, end := x.grid.pane(p); end == number+1 {
		x.complete(s, hash, k, p)
	}
}

// complete emits pane p of a key.
func (x *counts[K, T, A, V]) complete(s held[A], hash uint64, k K, p int64) {
	d := dueKey[K, A]{hash: hash, key: k, front: x.held[k]}
	x.pane = x.paneOf(s, &d, p)
	if d.front != nil {
		x.held[k] = d.front
	} else if x.width > 1 {
		delete(x.held, k)
	}
	x.forget(s, &d, p, p+1)
	start, end := x.grid.pane(p)
	pane := Pane[K, V]{k, x.grid.time(max(0, start)), x.grid.time(end), x.out.result(&x.pane.Acc)}
	kind := x.env.Kind
	x.env.Kind = flow.Insert
	x.out.next(pane)
	if x.config.Changes && x.config.Finals {
		x.env.Kind = flow.Final
		x.out.next(pane)
	}
	x.env.Kind = kind
}
