//go:build planted

package sim

import (
	"flag"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/planted"
)

var (
	some  = flag.Int("some", 0, "run so many bugs, chosen by -pick; 0: all")
	pick  = flag.Uint64("pick", uint64(time.Now().Unix()/86400), "chooses them: others each day")
	names = flag.String("bug", "", "run these, separated by commas")
)

// plantedBugs are the names in the sources of all rooms.
func plantedBugs(t *testing.T) (all []string) {
	t.Helper()
	call := regexp.MustCompile(`planted\.On\("([a-z-]+)"\)`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range call.FindAllStringSubmatch(string(data), -1) {
			if slices.Contains(all, m[1]) {
				t.Errorf("bug %q is planted twice", m[1])
			}
			all = append(all, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// Each planted bug is found within -seeds seeds; the first that finds it is printed.
func TestPlantedBugsAreFound(t *testing.T) {
	bugs := plantedBugs(t)
	if len(bugs) < 40 {
		t.Errorf("%d bugs are planted, want at least 40", len(bugs))
	}
	if *names != "" {
		bugs = strings.Split(*names, ",")
	} else if *some > 0 {
		rng := rand.New(rand.NewPCG(*pick, 0))
		rng.Shuffle(len(bugs), func(i, j int) { bugs[i], bugs[j] = bugs[j], bugs[i] })
		bugs = bugs[:min(*some, len(bugs))]
	}
	defer planted.Choose("")
	var firsts []int
	for _, bug := range bugs {
		planted.Choose(bug)
		var found atomic.Pointer[string]
		var first atomic.Int64
		begin := time.Now()
		each(*from, *seeds, func(seed uint64) bool {
			_, err := Run(Options{Seed: seed})
			if err == nil {
				return true
			}
			if s := err.Error(); found.CompareAndSwap(nil, &s) {
				first.Store(int64(seed))
			}
			return false
		})
		took := time.Since(begin).Round(time.Millisecond)
		if found.Load() == nil {
			t.Errorf("%s: not found by %d seeds in %v", bug, *seeds, took)
			continue
		}
		line, _, _ := strings.Cut(*found.Load(), "\n")
		firsts = append(firsts, int(first.Load()))
		t.Logf("%-40s seed %5d, %v: %.150s", bug, first.Load(), took, line)
	}
	if len(firsts) > 0 {
		slices.Sort(firsts)
		t.Logf("%d of %d found; the first seed is %d in the median, %d at most", len(firsts), len(bugs), firsts[len(firsts)/2], firsts[len(firsts)-1])
	}
}
