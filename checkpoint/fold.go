package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
)

// foldLevelBytes is the size up to which runs count as of the smallest unless configured.
const foldLevelBytes = 4 << 10

// Fold merges runs while some are due, and deletes files that no kept epoch names. The next epoch's record names the merged run; a
// crash before leaves the old ones in force. One goroutine calls it after epochs, concurrently with Complete. An error
// leaves everything as it was: the epochs go on, restores become longer. Before the first Begin it does nothing.
func (l *Log) Fold(ctx context.Context) error {
	l.folding.Lock()
	defer l.folding.Unlock()
	for {
		l.mu.Lock()
		err, begun, runs := l.usable(), l.begun, l.runs
		l.mu.Unlock()
		if err != nil || begun == 0 {
			return err
		}
		l.deleteDead(ctx)
		from, ok := due(runs, l.o.FoldRuns, l.o.FoldBytes)
		if !ok {
			return nil
		}
		start := time.Now()
		if err := l.fold(ctx, runs[from:], from == 0); err != nil {
			return fmt.Errorf("fold %d runs of job %q: %w", len(runs)-from, l.o.Job, err)
		}
		l.mu.Lock()
		l.stats.FoldDuration = time.Since(start)
		l.mu.Unlock()
	}
}

// due says from which run on the newest runs are to be merged.
//
// All of them when the folded runs behind the base hold as many bytes as it, or when there are fanOut and all hold as many, or a
// third of that and all hold twice as many: so restore reads at most about three times the base, or that and the segments of the
// last few epochs. Otherwise the newest runs of similar
// size once there are fanOut of them, so an entry is rewritten once for each factor of fanOut in size.
func due(runs []run, fanOut int, smallest int64) (from int, ok bool) {
	if len(runs) < 2 {
		return 0, false
	}
	newer := runs[1:]
	var folded int64
	for _, r := range newer {
		if r.folded() {
			folded += r.size
		}
	}
	base, size := runs[0].size, sizeOf(newer)
	if folded >= base || len(runs) >= fanOut && size >= base || 3*len(runs) >= fanOut && size >= 2*base {
		return 0, true
	}
	for level := 0; from > 0 || level == 0; level++ {
		from = len(runs)
		alike := 0
		for ; from > 0 && sizeLevel(runs[from-1], fanOut, smallest) <= level; from-- {
			if sizeLevel(runs[from-1], fanOut, smallest) == level {
				alike++
			}
		}
		if alike >= fanOut {
			return from, true
		}
	}
	return 0, false
}

// sizeLevel is 0 up to smallest, and one more for each factor of fanOut.
func sizeLevel(r run, fanOut int, smallest int64) (level int) {
	for limit := smallest; r.size > limit; level++ {
		if limit > math.MaxInt64/int64(fanOut) {
			return level + 1
		}
		limit *= int64(fanOut)
	}
	return level
}

// fold merges neighbouring runs into one and puts it in their place.
func (l *Log) fold(ctx context.Context, inputs []run, oldest bool) error {
	fault.Point("checkpoint/fold")
	merged, err := l.merge(ctx, l.own(), inputs, oldest, nil)
	if err != nil {
		return err
	}
	fault.Point("checkpoint/fold-merged")
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.runs, func(r run) bool { return r.name == inputs[0].name })
	if at < 0 || len(l.runs)-at < len(inputs) || !slices.Equal(l.runs[at:at+len(inputs)], inputs) {
		l.drop(merged)
		return errors.New("its runs were replaced meanwhile")
	}
	l.runs = slices.Concat(l.runs[:at], []run{merged}, l.runs[at+len(inputs):])
	if planted.On("fold-loses-a-concurrent-segment") {
		l.runs = l.runs[:at+1]
	}
	l.drop(inputs...)
	l.stats.Folds++
	l.stats.FoldedBytes += merged.size
	return nil
}
