package main

import (
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/benchmarks/timed"
)

// slidingCases are sums over sliding windows, each emitted when the watermark passes its end. sum is taken as any associative
// function: neither side subtracts.
var slidingCases = []Case{
	slidingCase("sliding 10 min / 5 min", 10*time.Minute, 5*time.Minute, 10_000_000),
	slidingCase("sliding 10 s / 100 ms", 10*time.Second, 100*time.Millisecond, 5_000_000),
}

func slidingCase(name string, size, slide time.Duration, records int64) Case {
	return Case{
		Name: name, Records: records,
		Floor: func(n int64, e *timed.End) {
			f := newSlidingFloor(int64(size), int64(slide), e)
			var newest int64
			for i := range n {
				v := timed.Number(i)
				f.add(v)
				if newest = max(newest, v.AtNS); i&255 == 255 {
					f.advance(newest - int64(timed.Disorder))
				}
			}
			f.finish()
		},
		Millrace: func(in millrace.Stream[timed.Event], e *timed.End) {
			in.KeyBy(timed.Event.User).
				Window(millrace.Sliding{Size: size, Slide: slide}).
				Sum("sum", timed.Event.Value).
				To("end", timed.Each(func(p millrace.Pane[string, int64]) {
					e.Row(timed.KeyHash(p.Key), p.Start.UnixNano(), p.Value)
				}), millrace.Append)
		},
	}
}

// slidingFloor is the hand-written loop: for each key the slices of the window that is open, as a queue of two stacks, so that a
// pane takes three additions however many slices it has.
type slidingFloor struct {
	slide, width int64
	keys         map[string]*slidingKey
	list         []*slidingKey // those that have a slice
	next         int64         // the slice whose end closes the next pane
	end          *timed.End
}

type slidingKey struct {
	key    string
	listed bool
	open   []slice // not yet closed, by number: a few, for records out of order
	back   []slice // closed
	sum    int64   // of back
	front  []slice // what back was, each with the sum from it on, the first last
}

type slice struct{ number, sum int64 }

const noSlice = -1 << 62

func newSlidingFloor(size, slide int64, e *timed.End) *slidingFloor {
	return &slidingFloor{slide: slide, width: size / slide, keys: map[string]*slidingKey{}, next: noSlice, end: e}
}

func (f *slidingFloor) add(v timed.Event) {
	n := v.AtNS / f.slide
	k := f.keys[v.Key]
	if k == nil {
		k = &slidingKey{key: v.Key}
		f.keys[v.Key] = k
	}
	if !k.listed {
		k.listed = true
		f.list = append(f.list, k)
	}
	i := len(k.open) - 1
	for i >= 0 && k.open[i].number > n {
		i--
	}
	if i >= 0 && k.open[i].number == n {
		k.open[i].sum += v.Val
		return
	}
	k.open = append(k.open, slice{})
	copy(k.open[i+2:], k.open[i+1:])
	k.open[i+1] = slice{n, v.Val}
	if f.next == noSlice || n < f.next {
		f.next = n
	}
}

// advance emits the panes that end at or before the watermark.
func (f *slidingFloor) advance(watermark int64) {
	for f.next != noSlice && (f.next+1)*f.slide <= watermark {
		f.fire(f.next)
		f.next++
	}
}

// fire emits the pane that ends with slice n of every key that has records in it.
func (f *slidingFloor) fire(n int64) {
	first := n - f.width + 1
	kept := f.list[:0]
	for _, k := range f.list {
		if k.fire(n, first) {
			f.end.Row(timed.KeyHash(k.key), first*f.slide, k.value())
		}
		if k.empty() {
			k.listed = false
			delete(f.keys, k.key)
			continue
		}
		kept = append(kept, k)
	}
	clear(f.list[len(kept):])
	f.list = kept
}

// fire makes the pane of slices first to n the one that value tells, and says whether it has records.
func (k *slidingKey) fire(n, first int64) bool {
	if len(k.open) > 0 && k.open[0].number == n {
		k.back = append(k.back, k.open[0])
		k.sum += k.open[0].sum
		k.open = k.open[:copy(k.open, k.open[1:])]
	}
	for i := len(k.front); i > 0 && k.front[i-1].number < first; i-- {
		k.front = k.front[:i-1]
	}
	if len(k.front) == 0 {
		var sum int64
		for i := len(k.back) - 1; i >= 0 && k.back[i].number >= first; i-- {
			sum += k.back[i].sum
			k.front = append(k.front, slice{k.back[i].number, sum})
		}
		k.back, k.sum = k.back[:0], 0
	}
	return len(k.front) > 0
}

func (k *slidingKey) value() int64 { return k.front[len(k.front)-1].sum + k.sum }

func (k *slidingKey) empty() bool { return len(k.open)+len(k.back)+len(k.front) == 0 }

// finish closes all windows.
func (f *slidingFloor) finish() {
	for f.next != noSlice && len(f.list) > 0 {
		f.fire(f.next)
		f.next++
	}
}
