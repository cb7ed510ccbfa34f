package agenda_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/agenda"
)

type node struct{ n int }

// A queue hands out what a sorted list would, whatever is pushed between, put off and dropped.
func TestQueueAgainstSortedList(t *testing.T) {
	for range 200 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 1))
		due := map[node]int64{} // what is true now
		q := agenda.New(time.Duration(1+rng.Int64N(int64(time.Minute))), func(a, b node) bool { return a.n < b.n })
		revised := rng.IntN(2) == 0
		if revised {
			q.Revise(func(x node, _ int64) (int64, bool) {
				at, ok := due[x]
				return at, ok
			})
		}
		now, next := int64(-5e9), 0
		for range 300 {
			switch rng.IntN(4) {
			case 0, 1:
				x := node{next}
				next++
				due[x] = now + rng.Int64N(3e9) - 1e9
				q.Push(due[x], x)
			case 2:
				for x := range due {
					if revised && rng.IntN(2) == 0 {
						delete(due, x)
					}
					break
				}
			default:
				now += rng.Int64N(2e9)
				want := expected(due, now)
				if got := take(&q, due, now); !slices.Equal(got, want) {
					t.Fatalf("seed %d: at %d got %v, want %v", seed, now, got, want)
				}
			}
			if first := q.NextNS(); len(due) > 0 && first > earliest(due) {
				t.Fatalf("seed %d: next at %d, but one is due at %d", seed, first, earliest(due))
			}
		}
	}
}

// take pops what is due and still true.
func take(q *agenda.Queue[node], due map[node]int64, now int64) (got []node) {
	for {
		c, ok := q.Pop(now)
		if !ok {
			for _, x := range got {
				delete(due, x)
			}
			return got
		}
		if at, ok := due[c.Node]; ok && at == c.DueNS {
			got = append(got, c.Node)
		}
	}
}

func expected(due map[node]int64, now int64) (want []node) {
	for x, at := range due {
		if at <= now {
			want = append(want, x)
		}
	}
	slices.SortFunc(want, func(a, b node) int { return cmp.Or(cmp.Compare(due[a], due[b]), cmp.Compare(a.n, b.n)) })
	return want
}

func earliest(due map[node]int64) int64 {
	at := int64(math.MaxInt64)
	for _, d := range due {
		at = min(at, d)
	}
	return at
}

// What moves later is handed out at its new time.
func TestRevisedNodesAreHandedOutLater(t *testing.T) {
	due := map[int]int64{}
	q := agenda.New(time.Second, func(a, b int) bool { return a < b })
	q.Revise(func(n int, _ int64) (int64, bool) { return due[n], true })
	for n := range 100 {
		due[n] = int64(n) * 1e6
		q.Push(due[n], n)
		due[n] += 5e9
	}
	if c, ok := q.Pop(4e9); ok {
		t.Fatalf("%v came before its new time", c)
	}
	for n := range 100 {
		if c, ok := q.Pop(6e9); !ok || c.Node != n || c.DueNS != due[n] {
			t.Fatalf("got %v, %v, want node %d at %d", c, ok, n, due[n])
		}
	}
}
