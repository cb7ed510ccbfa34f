package operators

import "container/heap"

// due says which keys have a pane to be looked at when the watermark passes its time: a bucket of keys for each pane, and a heap of
// buckets. It is derived from the state and not in snapshots. A key may stand in a bucket although its state says another pane:
// then nothing is done.
type due[K comparable, A any] struct {
	buckets bucketHeap[K, A]
	byPane  map[int64]*bucket[K, A]
	last    *bucket[K, A] // the one that got a key last
	spare   []*bucket[K, A]
}

type bucket[K comparable, A any] struct {
	pane  int64
	dueNS int64
	keys  []dueKey[K, A]
	at    int // the first key that has not had its turn
}

type dueKey[K comparable, A any] struct {
	hash  uint64
	key   K
	front *front[A] // what the last firing left for the next; nil: nothing
}

type bucketHeap[K comparable, A any] []*bucket[K, A]

func (h bucketHeap[K, A]) Len() int           { return len(h) }
func (h bucketHeap[K, A]) Less(i, j int) bool { return h[i].pane < h[j].pane }
func (h bucketHeap[K, A]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *bucketHeap[K, A]) Push(x any)        { *h = append(*h, x.(*bucket[K, A])) }
func (h *bucketHeap[K, A]) Pop() any {
	n := len(*h) - 1
	b := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	return b
}

// add puts a key into the bucket of pane p, which is due when dueNS says, asked when the bucket is new.
func (d *due[K, A]) add(p int64, k dueKey[K, A], dueNS func(p int64) int64) {
	b := d.last
	if b == nil || b.pane != p {
		if b = d.byPane[p]; b == nil {
			b = d.bucket(p, dueNS(p))
		}
		d.last = b
	}
	b.keys = append(b.keys, k)
}

func (d *due[K, A]) bucket(p, dueNS int64) *bucket[K, A] {
	b := new(bucket[K, A])
	if n := len(d.spare); n > 0 {
		b, d.spare = d.spare[n-1], d.spare[:n-1]
	}
	b.pane, b.dueNS = p, dueNS
	if d.byPane == nil {
		d.byPane = map[int64]*bucket[K, A]{}
	}
	d.byPane[p] = b
	heap.Push(&d.buckets, b)
	return b
}

// head is the next bucket that is due at ns, nil when there is none.
func (d *due[K, A]) head(ns int64) *bucket[K, A] {
	if len(d.buckets) == 0 || d.buckets[0].dueNS > ns {
		return nil
	}
	return d.buckets[0]
}

// bucketsKept bounds the buckets kept for later.
const bucketsKept = 4

// done takes away the first bucket, whose keys have all had their turn.
func (d *due[K, A]) done() {
	b := heap.Pop(&d.buckets).(*bucket[K, A])
	delete(d.byPane, b.pane)
	if d.last == b {
		d.last = nil
	}
	if len(d.spare) < bucketsKept {
		clear(b.keys)
		b.keys, b.at = b.keys[:0], 0
		d.spare = append(d.spare, b)
	}
}

// reset forgets everything.
func (d *due[K, A]) reset() { *d = due[K, A]{} }
