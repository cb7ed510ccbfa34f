package millrace

import (
	"slices"
	"testing"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// Workers get what need not be at home: a keyed operator although a sink reads it in its own task when there are none, and a source that is portable.
func TestDistribution(t *testing.T) {
	j := NewJob("spread")
	count := func(from string, src sources.Source[int]) {
		j.From(from, src).KeyBy(func(n int) int { return n }).Count("count "+from, state.Forever).To("show "+from, sinks.Discard[Pair[int, int64]](), Update)
	}
	count("anywhere", sources.Generate(sources.GeneratorConfig{Count: 1}, func(i int64) int { return int(i) }))
	count("here", sources.Slice(1, 2))
	c := j.paced(Config{Parallelism: 4}).withDefaults()
	c.spread = true
	d, err := j.rehearse(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	built, err := d.build()
	if err != nil {
		t.Fatal(err)
	}
	at := d.distribute(built.Tasks, 3)
	for chain, want := range map[string][]int{
		"anywhere": {1, 1, 2, 2}, "count anywhere": {1, 1, 2, 2}, "show anywhere": {0, 0, 0, 0},
		"here": {0, 0, 0, 0}, "count here": {1, 1, 2, 2}, "show here": {0, 0, 0, 0},
	} {
		got := make([]int, len(want))
		for i, task := range built.Tasks {
			if task.Chain == chain {
				got[task.Index] = at[i]
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("tasks of %s are at %v, want %v", chain, got, want)
		}
		if n := d.first(chain); built.Tasks[n].Chain != chain || built.Tasks[n].Index != 0 {
			t.Errorf("task %d is %s/%d, want %s/0", n, built.Tasks[n].Chain, built.Tasks[n].Index, chain)
		}
	}
	if alone := d.distribute(built.Tasks, 1); slices.Max(alone) != home {
		t.Errorf("without workers tasks are at %v", alone)
	}
}

// What a worker is told must be of its plan, its program and its chains.
func TestAssignmentsAreChecked(t *testing.T) {
	plan := func(parallelism int) *deployment {
		j := NewJob("spread")
		j.From("in", sources.Slice(1)).To("out", sinks.Discard[int]())
		c := j.paced(Config{Parallelism: parallelism}).withDefaults()
		c.spread = true
		d, err := j.rehearse(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	two := plan(2)
	_, specs, err := two.assignments(&actors.Deployment{Tasks: tasksOf(t, two)}, []string{"home", "far"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := two.accept(specs[1])
	if err != nil || a.Me != 1 || a.KeyGroups != flow.DefaultKeyGroups {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := plan(3).accept(specs[1]); err == nil {
		t.Error("another parallelism was accepted")
	}
	for n := range specs[1] {
		if _, err := two.accept(specs[1][:n]); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(specs[1]))
		}
	}
}

func tasksOf(t *testing.T, d *deployment) []*actors.Task {
	t.Helper()
	built, err := d.build()
	if err != nil {
		t.Fatal(err)
	}
	return built.Tasks
}
