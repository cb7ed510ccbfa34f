package mailbox

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/planted"
)

// Outlet is a task's end of an edge with the record type rubbed off. One goroutine, the task's loop, calls it.
type Outlet interface {
	// Flush sends what is open. A lane that has not seen the newest watermark gets an empty batch.
	Flush()
	// Watermark moves the watermark; it rides on the next batch of each lane and forces none.
	Watermark(ns int64)
	// Idle says whether the lanes hold the consumer's watermark back.
	Idle(bool)
	// Barrier closes the open batches with a barrier, a mark made by flow.BarrierOf: what is added later belongs to the next
	// epoch.
	Barrier(m flow.Mark)
	// End closes the open batches with the end of records.
	End()
	// Blocked says whether a batch was refused and waits. A task with a blocked outlet takes no input.
	Blocked() bool
	// Retry sends what was refused, as far as there is room, and says whether all is gone.
	Retry() bool
	// Room says whether Retry would get something through: the look before a blocked task sleeps.
	Room() bool
}

// Out is the producer's end of an edge: an open batch and a list of refused ones per lane.
type Out[T any] struct {
	lanes   []*Lane[T]
	pool    *Pool[T]
	open    []*flow.Batch[T]
	pending [][]*flow.Batch[T]
	seq     []uint64
	seenNS  []int64 // newest watermark each lane was sent
	wmNS    int64
	full    int
	refused int // batches on pending lists
	attempt flow.Attempt
	idle    bool
}

// NewOut makes the producer's end of lanes, which share pool. Batches hold at most the pool's number of records.
func NewOut[T any](lanes []*Lane[T], pool *Pool[T], attempt flow.Attempt) *Out[T] {
	n := len(lanes)
	o := &Out[T]{
		lanes: lanes, pool: pool, attempt: attempt, full: pool.recordsMax, wmNS: flow.NoWatermarkNS,
		open: make([]*flow.Batch[T], n), pending: make([][]*flow.Batch[T], n), seq: make([]uint64, n), seenNS: make([]int64, n),
	}
	for i := range o.seenNS {
		o.seenNS[i] = flow.NoWatermarkNS
	}
	return o
}

// Lanes is the number of consumers.
func (o *Out[T]) Lanes() int { return len(o.lanes) }

// Add appends an insert to lane i's open batch and sends the batch when it is full.
func (o *Out[T]) Add(i int, v T, timeNS int64, hash uint64) {
	b := o.open[i]
	if b == nil {
		b = o.pool.Get()
		o.open[i] = b
	}
	n := len(b.Records)
	b.Records = b.Records[:n+1]
	r := &b.Records[n]
	r.TimeNS, r.Hash, r.Value = timeNS, hash, v
	if len(b.Kinds) > 0 {
		b.Kinds = append(b.Kinds, flow.Insert)
	}
	if n+1 >= o.full {
		o.send(i)
	}
}

// AddKind is Add for a record that may be an update or a delete. The column of kinds appears with the first that is. An update-before goes in
// one batch with the update-after that follows it, which makes that batch longer by one: readers keep nothing of a pair from batch to batch, so a cut
// between two batches finds no half of one.
func (o *Out[T]) AddKind(i int, v T, timeNS int64, hash uint64, kind flow.Kind) {
	if kind == flow.Insert {
		o.Add(i, v, timeNS, hash)
		return
	}
	b := o.open[i]
	if b == nil {
		b = o.pool.Get()
		o.open[i] = b
	}
	for len(b.Kinds) < len(b.Records) {
		b.Kinds = append(b.Kinds, flow.Insert)
	}
	b.Records = append(b.Records, flow.Record[T]{TimeNS: timeNS, Hash: hash, Value: v})
	b.Kinds = append(b.Kinds, kind)
	if len(b.Records) >= o.full && kind != flow.UpdateBefore {
		o.send(i)
	}
}

// send closes lane i's open batch with the newest watermark and hands it over.
func (o *Out[T]) send(i int) {
	b := o.open[i]
	o.open[i] = nil
	if o.wmNS > o.seenNS[i] {
		b.Mark.WatermarkNS, o.seenNS[i] = o.wmNS, o.wmNS
		b.Mark.Has |= flow.HasWatermark
	}
	o.seq[i]++
	b.Seq, b.Attempt = o.seq[i], o.attempt
	if len(o.pending[i]) > 0 || !o.lanes[i].TrySend(b) {
		if planted.On("refused-batch-lost") {
			o.seq[i]--
			return
		}
		o.pending[i] = append(o.pending[i], b)
		o.refused++
	}
}

// Flush implements Outlet.
func (o *Out[T]) Flush() {
	for i := range o.open {
		if o.open[i] == nil && o.seenNS[i] < o.wmNS {
			o.open[i] = o.pool.Get()
		}
		if o.open[i] != nil {
			o.send(i)
		}
	}
}

// Watermark implements Outlet.
func (o *Out[T]) Watermark(ns int64) { o.wmNS = max(o.wmNS, ns) }

// Idle implements Outlet. Both are sent at once, and to all lanes: a lane whose consumer did not hear that its producer is active
// again would let time pass it.
func (o *Out[T]) Idle(idle bool) {
	if idle == o.idle {
		return
	}
	o.idle = idle
	if idle {
		o.mark(flow.Mark{Has: flow.HasIdle})
		return
	}
	o.mark(flow.Mark{WatermarkNS: o.wmNS, Has: flow.HasWatermark})
}

// Barrier implements Outlet.
func (o *Out[T]) Barrier(m flow.Mark) { o.mark(m) }

// End implements Outlet.
func (o *Out[T]) End() { o.mark(flow.Mark{Has: flow.HasEnd}) }

func (o *Out[T]) mark(m flow.Mark) {
	for i := range o.open {
		if o.open[i] == nil {
			o.open[i] = o.pool.Get()
		}
		if b := o.open[i]; len(b.Records) > 0 && planted.On("barrier-overtakes-records") {
			o.open[i] = o.pool.Get()
			defer func() { o.open[i] = b }()
		}
		o.open[i].Mark = m
		o.send(i)
	}
}

// Blocked implements Outlet.
func (o *Out[T]) Blocked() bool { return o.refused > 0 }

// Retry implements Outlet.
func (o *Out[T]) Retry() bool {
	for i, q := range o.pending {
		n := 0
		for n < len(q) && o.lanes[i].TrySend(q[n]) {
			n++
		}
		if n > 0 {
			o.refused -= n
			rest := copy(q, q[n:])
			clear(q[rest:])
			o.pending[i] = q[:rest]
		}
	}
	return o.refused == 0
}

// Room implements Outlet.
func (o *Out[T]) Room() bool {
	for i, q := range o.pending {
		if len(q) > 0 && o.lanes[i].Room() {
			return true
		}
	}
	return false
}
