//go:build integration

package integration

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// history is what the output topic says, read in its order. Which run of the job wrote a record is told by the producer id:
// each run asks the broker for new ones, which only grow, and within a run one task writes a key.
type history struct {
	once      bool // the output is exactly-once: no count comes again
	keys      map[string]*track
	producers map[int64]bool
	records   int64
	wrong     []string
}

// track is one key's.
type track struct {
	last     int64 // the newest value
	producer int64 // who wrote it
	back     int64 // how often a run began below the value that was the newest
}

func newHistory() *history {
	return &history{keys: map[string]*track{}, producers: map[int64]bool{}}
}

// take checks a record against those before it: a value is the one before plus one; or, when another run has begun, it was
// sent already. Without repeats, or once, that makes 1, 2, 3, …
func (h *history) take(r *kgo.Record) {
	h.records++
	h.producers[r.ProducerID] = true
	value, err := strconv.ParseInt(string(r.Value), 10, 64)
	if err != nil {
		h.complain(r, "is no count")
		return
	}
	k := h.keys[string(r.Key)]
	if k == nil {
		k = &track{producer: r.ProducerID}
		h.keys[string(r.Key)] = k
	}
	switch {
	case h.once && value == k.last+1:
	case h.once:
		h.complain(r, "is not what follows %d", k.last)
	case r.ProducerID < k.producer:
		h.complain(r, "was written by %d behind what the later %d wrote", r.ProducerID, k.producer)
	case value < 1 || value > k.last+1:
		h.complain(r, "leaves a gap behind %d", k.last)
	case value <= k.last && r.ProducerID == k.producer:
		h.complain(r, "steps back from %d without a restart: producer %d wrote both", k.last, k.producer)
	case value <= k.last:
		k.back++
	}
	k.last, k.producer = value, r.ProducerID
}

func (h *history) complain(r *kgo.Record, format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf("partition %d offset %d, key %s: %q ", r.Partition, r.Offset, r.Key, r.Value)+fmt.Sprintf(format, args...))
}

// counts is the newest value of each key.
func (h *history) counts() map[string]int64 {
	all := make(map[string]int64, len(h.keys))
	for key, k := range h.keys {
		all[key] = k.last
	}
	return all
}

// back is how many steps back there are.
func (h *history) back() (n int64) {
	for _, k := range h.keys {
		n += k.back
	}
	return n
}

// differences are the keys whose counts are not as they should be.
func differences(got, want map[string]int64, right func(got, want int64) bool) (all []string) {
	for key, n := range want {
		if !right(got[key], n) {
			all = append(all, fmt.Sprintf("key %s: %d, want %d", key, got[key], n))
		}
	}
	for key, n := range got {
		if _, known := want[key]; !known {
			all = append(all, fmt.Sprintf("key %s: %d, but the input does not have it", key, n))
		}
	}
	return all
}

func exactly(got, want int64) bool { return got == want }
func atLeast(got, want int64) bool { return got >= want }
