package sources

import (
	"context"
	"sync"

	"github.com/millrace-io/millrace/flow"
)

// budget is what the splits of a First share.
type budget struct {
	total int64
	done  context.Context // ends when the budget is spent
	spend context.CancelFunc

	mu      sync.Mutex
	given   map[string]int64    // per split
	sum     int64               // of given
	opened  map[string]int      // readers open, per split
	missing map[string]struct{} // known splits that are not open yet, so their counts are unknown
	changed chan struct{}       // closed and replaced when missing becomes empty
}

func newBudget(n int64) *budget {
	k := &budget{total: n, given: map[string]int64{}, opened: map[string]int{}, missing: map[string]struct{}{}, changed: make(chan struct{})}
	k.done, k.spend = context.WithCancel(context.Background())
	return k
}

// expect makes claims wait until all these splits are open. Those found anew count too: after a failure before the first
// epoch they are found again, and what they gave to the failed attempt no longer counts.
func (k *budget) expect(known []string, found []flow.Split) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range known {
		k.miss(id)
	}
	for _, s := range found {
		k.miss(s.ID)
	}
}

func (k *budget) miss(id string) {
	if k.opened[id] == 0 {
		k.missing[id] = struct{}{}
	}
}

// open sets what split id has given; a position restored is older than what an earlier attempt gave.
func (k *budget) open(id string, given int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened[id]++
	k.set(id, given)
}

func (k *budget) set(id string, given int64) {
	k.sum += given - k.given[id]
	k.given[id] = given
	delete(k.missing, id)
	if k.sum < k.total && k.done.Err() != nil {
		k.done, k.spend = context.WithCancel(context.Background())
	}
	if len(k.missing) == 0 {
		k.settle()
		close(k.changed)
		k.changed = make(chan struct{})
	}
}

// note sets what split id has given, as open does, unless a reader of it is open, which knows better.
func (k *budget) note(id string, given int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.opened[id] == 0 {
		k.set(id, given)
	}
}

func (k *budget) close(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened[id]--
}

// end is the context that ends when the budget is spent.
func (k *budget) end() context.Context {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.done
}

// settle ends done when the budget is spent.
func (k *budget) settle() {
	if k.sum >= k.total {
		k.spend()
	}
}

func (k *budget) ready() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.missing) == 0
}

func (k *budget) wait(ctx context.Context) error {
	for {
		k.mu.Lock()
		ready, changed := len(k.missing) == 0, k.changed
		k.mu.Unlock()
		if ready {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (k *budget) spent() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.missing) == 0 && k.sum >= k.total
}

// claim gives split id up to n records of the budget.
func (k *budget) claim(id string, n int64) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	n = min(n, max(k.total-k.sum, 0))
	k.given[id] += n
	k.sum += n
	k.settle()
	return n
}
