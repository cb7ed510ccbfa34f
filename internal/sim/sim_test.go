package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/internal/invariants"
)

var (
	seeds   = flag.Uint64("seeds", invariants.Sized[uint64](500, 80), "how many seeds are run")
	from    = flag.Uint64("from", 0, "the first of them")
	only    = flag.Uint64("seed", 0, "run this one alone")
	without = flag.String("without", "", "faults and operators to leave out, separated by commas")
	records = flag.Int("records", 0, "the most records of a split")
	unalign = flag.Bool("unalign", false, "cut epochs ahead of barriers")
	trace   = flag.Bool("trace", false, "print every step")
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // a run makes little that lives long
	goleak.VerifyTestMain(m)
}

func options(seed uint64) Options {
	o := Options{Seed: seed, Records: *records, Unalign: *unalign}
	if *trace {
		o.Log = os.Stdout
	}
	if *without != "" {
		o.Without = strings.Split(*without, ",")
	}
	return o
}

// each runs seeds on all processors until one says that it is enough.
func each(first, n uint64, run func(seed uint64) (more bool)) {
	var next atomic.Uint64
	var enough atomic.Bool
	next.Store(first)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !enough.Load() {
				seed := next.Add(1) - 1
				if seed >= first+n {
					return
				}
				if !run(seed) {
					enough.Store(true)
				}
			}
		})
	}
	wg.Wait()
}

func TestSeeds(t *testing.T) {
	first, n := *from, *seeds
	if *only > 0 {
		first, n = *only, 1
	}
	var mu sync.Mutex
	var sum Counts
	sum.Faults = map[string]int{}
	finished := 0
	begin := time.Now()
	each(first, n, func(seed uint64) bool {
		o := options(seed)
		c, err := Run(o)
		if err != nil && *only == 0 {
			o = Shrink(o)
			_, err = Run(o)
		}
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			return false
		}
		finished++
		sum.Steps += c.Steps
		sum.Processes += c.Processes
		sum.Epochs += c.Epochs
		sum.Folds += c.Folds
		sum.Attempts += c.Attempts
		for f, n := range c.Faults {
			sum.Faults[f] += n
		}
		return true
	})
	took := time.Since(begin)
	t.Logf("%d seeds in %v, %.0f a second: %d steps, %d processes, %d attempts, %d epochs, %d folds, faults %v",
		finished, took.Round(time.Millisecond), float64(finished)/took.Seconds(), sum.Steps, sum.Processes, sum.Attempts, sum.Epochs, sum.Folds, fmt.Sprint(sum.Faults))
}

// The same seed takes the same steps, at the same times, whatever else the machine does.
func TestTheSameSeedTakesTheSameSteps(t *testing.T) {
	for seed := *from; seed < *from+invariants.Sized[uint64](20, 4); seed++ {
		a, err := Run(options(seed))
		b, again := Run(options(seed))
		if fmt.Sprint(a, err) != fmt.Sprint(b, again) {
			t.Fatalf("seed %d: %v, then %v", seed, a, b)
		}
	}
}
