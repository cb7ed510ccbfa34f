package main

import (
	"context"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// The floor is what an engineer would write who needs this one job and nothing else: goroutines, channels, pooled batches, and for
// each key the slices of time that its windows share, as a queue of two stacks: a pane takes three additions however many slices it
// has, and nothing is subtracted. It has the engine's batch size, hops and watermark, and none of its back-pressure without
// blocking, barriers, snapshots, late records, supervision or metrics.

type (
	// eventBatch is records for a worker, and the watermark behind them.
	eventBatch struct {
		records     []timed.Event
		watermarkNS int64
	}
	rowBatch struct{ rows []row }
	row      struct {
		key          string
		startNS, sum int64
	}
)

// floor is one run.
type floor struct {
	events  [workers]chan *eventBatch
	rows    chan *rowBatch
	eventIn sync.Pool // of *eventBatch
	rowIn   sync.Pool // of *rowBatch
}

// runFloor is a job. It does not watch ctx: the generator is stopped instead, and the goroutines end one after the other as the
// channels behind them close.
func runFloor(_ context.Context, g *generator, m *meter) error {
	f := &floor{rows: make(chan *rowBatch, workers*laneBatches)}
	f.eventIn.New = func() any { return &eventBatch{records: make([]timed.Event, 0, batchRecords)} }
	f.rowIn.New = func() any { return &rowBatch{make([]row, 0, batchRecords)} }
	var working sync.WaitGroup
	for i := range f.events {
		f.events[i] = make(chan *eventBatch, laneBatches)
		w := &worker{floor: f, keys: map[string]*windows{}, next: timed.StartNS/int64(slide) - slices, open: f.rowIn.Get().(*rowBatch)}
		working.Go(func() { w.run(f.events[i]) })
	}
	done := make(chan struct{})
	go func() {
		f.sink(m)
		close(done)
	}()
	err := f.source(g)
	for _, c := range f.events {
		close(c)
	}
	working.Wait()
	close(f.rows)
	<-done
	return err
}

// source puts each record into the open batch of the worker that owns its key.
func (f *floor) source(g *generator) error {
	var open [workers]*eventBatch
	for i := range open {
		open[i] = f.eventIn.Get().(*eventBatch)
	}
	send := func(to int) {
		open[to].watermarkNS = g.watermarkNS()
		f.events[to] <- open[to]
		open[to] = f.eventIn.Get().(*eventBatch)
	}
	for !g.Done() {
		now := harness.NowNS()
		due := g.Due(now)
		for range due {
			e := g.Next(now)
			to := int(xxhash.Sum64String(e.Key) & (workers - 1))
			if open[to].records = append(open[to].records, e); len(open[to].records) == batchRecords {
				send(to)
			}
		}
		if due > 0 || !g.OpenLoop() {
			continue
		}
		for to := range open {
			if len(open[to].records) > 0 {
				send(to)
			}
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	for to := range open {
		send(to)
	}
	return nil
}

// sink hands panes to the meter.
func (f *floor) sink(m *meter) {
	for b := range f.rows {
		now := harness.NowNS()
		for i := range b.rows {
			r := &b.rows[i]
			m.Pane(now, r.key, r.startNS, r.sum)
		}
		b.rows = b.rows[:0]
		f.rowIn.Put(b)
	}
}

// slices is how many slices a window has.
const slices = int64(size / slide)

// worker owns the keys of its hashes.
type worker struct {
	floor *floor
	keys  map[string]*windows
	list  []*windows // of all keys
	next  int64      // the slice whose end closes the next panes
	open  *rowBatch
}

// run sends an open batch when it is full or when there is nothing else to do.
func (w *worker) run(in <-chan *eventBatch) {
	for b := range in {
		for i := range b.records {
			w.add(&b.records[i])
		}
		for (w.next+1)*int64(slide) <= b.watermarkNS {
			w.fire()
		}
		b.records = b.records[:0]
		w.floor.eventIn.Put(b)
		if len(in) == 0 {
			w.flush()
		}
	}
	for len(w.list) > 0 {
		w.fire()
	}
	w.flush()
}

func (w *worker) flush() {
	if len(w.open.rows) > 0 {
		w.floor.rows <- w.open
		w.open = w.floor.rowIn.Get().(*rowBatch)
	}
}

func (w *worker) add(e *timed.Event) {
	k := w.keys[e.Key]
	if k == nil {
		k = &windows{key: e.Key}
		w.keys[e.Key] = k
		w.list = append(w.list, k)
	}
	k.add(e.AtNS/int64(slide), e.Val)
}

// fire emits the panes that end with the next slice, of every key that has records in it, and forgets keys that have none.
func (w *worker) fire() {
	first := w.next - slices + 1
	kept := w.list[:0]
	for _, k := range w.list {
		if sum, ok := k.close(w.next, first); ok {
			if w.open.rows = append(w.open.rows, row{k.key, first * int64(slide), sum}); len(w.open.rows) == batchRecords {
				w.flush()
			}
		}
		if k.empty() {
			delete(w.keys, k.key)
			continue
		}
		kept = append(kept, k)
	}
	clear(w.list[len(kept):])
	w.list = kept
	w.next++
}

// windows is what is kept of a key.
type windows struct {
	key   string
	open  []slice // not yet closed, by number: a few, for records out of order
	back  []slice // closed
	sum   int64   // of back
	front []slice // what back was, each with the sum from it on, the first last
}

type slice struct{ number, sum int64 }

func (k *windows) add(number, val int64) {
	i := len(k.open) - 1
	for i >= 0 && k.open[i].number > number {
		i--
	}
	if i >= 0 && k.open[i].number == number {
		k.open[i].sum += val
		return
	}
	k.open = append(k.open, slice{})
	copy(k.open[i+2:], k.open[i+1:])
	k.open[i+1] = slice{number, val}
}

// close closes slice last and is the sum of first to last; not ok when there are none of them.
func (k *windows) close(last, first int64) (sum int64, ok bool) {
	if len(k.open) > 0 && k.open[0].number == last {
		k.back = append(k.back, k.open[0])
		k.sum += k.open[0].sum
		k.open = k.open[:copy(k.open, k.open[1:])]
	}
	for n := len(k.front); n > 0 && k.front[n-1].number < first; n-- {
		k.front = k.front[:n-1]
	}
	if len(k.front) == 0 {
		k.turn(first)
	}
	if len(k.front) == 0 {
		return 0, false
	}
	return k.front[len(k.front)-1].sum + k.sum, true
}

// turn makes the front of the back.
func (k *windows) turn(first int64) {
	var sum int64
	for i := len(k.back) - 1; i >= 0 && k.back[i].number >= first; i-- {
		sum += k.back[i].sum
		k.front = append(k.front, slice{k.back[i].number, sum})
	}
	k.back, k.sum = k.back[:0], 0
}

func (k *windows) empty() bool { return len(k.open)+len(k.back)+len(k.front) == 0 }
