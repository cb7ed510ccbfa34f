package checkpoint

import (
	"fmt"
	"testing"

	"github.com/millrace-io/millrace/flow"
)

// policy plays a job's epochs against due: segments of size bytes over live bytes of state, of which a fold with the
// base keeps at most live.
func policy(t *testing.T, live, size int64, epochs int) (written, worst int64, most int) {
	var runs []run
	for e := 1; e <= epochs; e++ {
		runs = append(runs, run{name: fmt.Sprint(e), size: size, first: flow.Epoch(e), last: flow.Epoch(e)})
		for steps := 0; ; steps++ {
			from, ok := due(runs, foldRunsDefault, foldLevelBytes)
			if !ok {
				break
			}
			if steps > 10 || len(runs)-from < 2 {
				t.Fatalf("epoch %d: fold %d of %d runs from %d", e, steps, len(runs), from)
			}
			merged := run{name: "f" + fmt.Sprint(e, steps), size: min(sizeOf(runs[from:]), live), first: runs[from].first, last: flow.Epoch(e)}
			written += merged.size
			runs = append(runs[:from:from], merged)
		}
		worst, most = max(worst, sizeOf(runs)), max(most, len(runs))
	}
	return written, worst, most
}

func TestFoldPolicyBoundsRestoreAndWriting(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct{ live, size int64 }{
		{600 * mb, mb}, {600 * mb, 10 << 10}, {600 * mb, 100 * mb}, {2 * mb, 2 * mb}, {mb, 100}, {64 << 10, 40 << 10}, {1000, 1000},
	} {
		const epochs = 20_000
		written, worst, most := policy(t, c.live, c.size, epochs)
		if limit := 2*c.live + 16*c.size; worst > limit {
			t.Errorf("%+v: restore reads up to %d bytes, want at most %d", c, worst, limit)
		}
		if a := float64(written) / float64(c.size*epochs); a > 8 {
			t.Errorf("%+v: each byte is rewritten %.1f times", c, a)
		}
		if most > 60 {
			t.Errorf("%+v: %d runs", c, most)
		}
		t.Logf("%+v: rewritten %.1f times, at most %d runs, %.2f times the state", c, float64(written)/float64(c.size*epochs), most, float64(worst)/float64(c.live))
	}
}
