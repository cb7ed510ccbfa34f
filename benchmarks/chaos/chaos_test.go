package main

import (
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/fault"
)

// outputOf is a faultless output: of each split all records, one after the other.
func outputOf(c content, produced []int64) (all []counted) {
	counts := map[string]int64{}
	for split, n := range produced {
		for seq := range n {
			r := c.at(int32(split), seq)
			counts[r.Key]++
			all = append(all, counted{r, counts[r.Key]})
		}
	}
	return all
}

func TestLedger(t *testing.T) {
	c, produced := content{seed: 5, keys: 3}, []int64{20, 30}
	right := outputOf(c, produced)
	// 7 and what comes behind it are of one key: the next record of that key, so that an exchange of the two is an error.
	next := 8
	for right[next].Key != right[7].Key {
		next++
	}
	for name, test := range map[string]struct {
		spoil func(all []counted) []counted
		want  tally
	}{
		"right":      {func(all []counted) []counted { return all }, tally{Records: 50}},
		"lost":       {func(all []counted) []counted { return slices.Delete(all, 7, 8) }, tally{Records: 49, Lost: 1}},
		"duplicated": {func(all []counted) []counted { return append(all, all[7]) }, tally{Records: 51, Duplicated: 1}},
		"reordered": {func(all []counted) []counted {
			all[7], all[next] = all[next], all[7]
			return all
		}, tally{Records: 50, Reordered: 1}},
		"wrong count": {func(all []counted) []counted { all[7].Count++; return all }, tally{Records: 50, Wrong: 1}},
		"wrong hash":  {func(all []counted) []counted { all[7].Hash = "?"; return all }, tally{Records: 50, Wrong: 1}},
		"never produced": {func(all []counted) []counted {
			return append(all, counted{c.at(1, 30), 99}, counted{c.at(2, 0), 1}, counted{record{Split: -1}, 1})
		}, tally{Records: 53, Wrong: 3}},
	} {
		l := newLedger(c, produced)
		for _, r := range test.spoil(slices.Clone(right)) {
			l.take(r, name)
		}
		got := l.finish()
		if samples := len(got.Samples); (samples == 0) != got.clean() || got.clean() != test.want.clean() {
			t.Errorf("%s: %d samples, clean %v", name, samples, got.clean())
		}
		if got.Samples = nil; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestPlan(t *testing.T) {
	every := regexp.MustCompile(".")
	of := func(kills, repeat int, points *regexp.Regexp) (byKind map[kind]int, byPoint map[string]int) {
		byKind, byPoint = map[kind]int{}, map[string]int{}
		events := plan(rand.New(rand.NewPCG(1, 1)), kills, repeat, points, time.Second)
		if len(events) != kills {
			t.Errorf("%d events, want %d", len(events), kills)
		}
		for i, e := range events {
			byKind[e.kind]++
			if e.kind == atPoint {
				byPoint[e.point]++
				if slices.Contains([]string{"checkpoint/first-head", "deploy/starts-recorded"}, e.point) && i > 1 {
					t.Errorf("%s, of which there is one in a lineage, is event %d", e.point, i)
				}
			}
		}
		return byKind, byPoint
	}
	kinds, points := of(200, 1, every)
	if len(points) != len(fault.Places()) || kinds[early] < 40 || kinds[zombie] < 5 || kinds[stopped] < 5 || kinds[atRandom] < 10 {
		t.Errorf("200 kills: %d of %d points, by kind %v", len(points), len(fault.Places()), kinds)
	}
	if kinds, points = of(30, 1, every); len(points) != 15 || kinds[early] < 6 || kinds[zombie] < 1 || kinds[stopped] < 1 {
		t.Errorf("30 kills: %d points, by kind %v", len(points), kinds)
	}
	_, points = of(800, 20, regexp.MustCompile("^kafka/"))
	for _, p := range fault.Places() {
		if want := strings.HasPrefix(p.Name, "kafka/"); want && points[p.Name] != 20 || !want && points[p.Name] > 0 {
			t.Errorf("%s is planned %d times", p.Name, points[p.Name])
		}
	}
}

func TestRecovery(t *testing.T) {
	var all []time.Duration
	for ms := 200; ms > 0; ms-- {
		all = append(all, time.Duration(ms)*time.Millisecond)
	}
	if got, want := recoveryOf(all), (recovery{200, 101, 199, 200}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := recoveryOf(nil); got != (recovery{}) {
		t.Errorf("of none: %+v", got)
	}
}

// The checker may find what the engine does wrong only if it shares nothing with it.
func TestNothingOfTheEngineIsShared(t *testing.T) {
	const module = "github.com/millrace-io/millrace"
	allowed := []string{module + "/internal/fault", module + "/benchmarks/harness"} // names; and what machine this is
	for _, dir := range []string{".", filepath.Join("..", "harness")} {
		found, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if filepath.Ext(f.Name()) != ".go" {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, f.Name()), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				if strings.HasPrefix(path, module) && !slices.Contains(allowed, path) || strings.Contains(path, "sarama") {
					t.Errorf("%s imports %s", f.Name(), path)
				}
			}
		}
	}
}
