package oracle_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/invariants"
)

const (
	seedsOfRow = 1000 // for every row of the table of operators
	seedsRaced = 30   // under the race detector, which slows job and database tenfold; a batch for each third of the aggregations
	batchSeeds = 10
	allSeeds   = math.MaxUint64
	seedEnv    = "MILLRACE_ORACLE_SEED"
)

// eachBatch calls f with the batches of all seeds, or with that of the one seed that the environment names.
func eachBatch(t *testing.T, f func(t *testing.T, dbs []*asking, first, only uint64)) {
	t.Helper()
	var dbs []*asking
	for name, open := range databases {
		a := &asking{t: t, name: name, db: open(t)}
		a.query(schema)
		dbs = append(dbs, a)
	}
	if text := os.Getenv(seedEnv); text != "" {
		only, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedEnv, err)
		}
		f(t, dbs, only/batchSeeds*batchSeeds, only)
		return
	}
	seeds := invariants.Sized[uint64](seedsOfRow, seedsRaced)
	for first := uint64(0); first < seeds && !t.Failed(); first += batchSeeds {
		f(t, dbs, first, allSeeds)
	}
}

// bothWays runs a row with records in time and with late ones.
func bothWays(t *testing.T, row func(t *testing.T, late bool)) {
	t.Run("in time", func(t *testing.T) { row(t, false) })
	t.Run("late", func(t *testing.T) { row(t, true) })
}

func seedOf(key string) uint64 {
	text, _, _ := strings.Cut(key, "/")
	seed, _ := strconv.ParseUint(text, 10, 64)
	return seed
}

// compare demands that two multisets of rows are the same.
func (a *asking) compare(b *batch, query string, got, want []string) {
	a.t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return
	}
	count := map[string]int{}
	for _, row := range got {
		count[row]++
	}
	for _, row := range want {
		count[row]--
	}
	var lines []string
	for row, n := range count {
		switch {
		case n > 0:
			lines = append(lines, fmt.Sprintf("seed %d: %d× too much: %s", seedOf(row), n, row))
		case n < 0:
			lines = append(lines, fmt.Sprintf("seed %d: %d× missing: %s", seedOf(row), -n, row))
		}
	}
	slices.Sort(lines)
	a.t.Errorf("%s of %s, params %v, grain %d ms, disorder %d ms; run a seed alone with %s=n:\n%s", query, a.name, b.params, b.grain, b.disorder, seedEnv,
		strings.Join(lines[:min(len(lines), 20)], "\n"))
}

// balance demands that a count of the job's is the database's.
func (a *asking) balance(b *batch, what string, got, want int64) {
	a.t.Helper()
	if got != want {
		a.t.Errorf("%s: %d, want %d by %s; seeds %d to %d, params %v, grain %d ms", what, got, want, a.name, b.first, b.first+batchSeeds-1, b.params, b.grain)
	}
}

// The references would prove nothing if they shared code with what they are compared with.
func TestImportsNothingOfTheOperators(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if strings.Contains(i.Path.Value, "millrace/operators") {
				t.Errorf("%s imports %s", name, i.Path.Value)
			}
		}
	}
}
