package topologies_test

import (
	"maps"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/topologies"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func run(t *testing.T, job *millrace.Job) {
	t.Helper()
	q, err := job.Start(t.Context(), millrace.Config{Parallelism: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// last is the newest value of each key; it checks that a key's values count 1, 2, 3, …
func last[K comparable](t *testing.T, rows []millrace.Pair[K, int64]) map[K]int64 {
	t.Helper()
	got := map[K]int64{}
	for _, r := range rows {
		if r.Value != got[r.Key]+1 {
			t.Fatalf("key %v: %d after %d", r.Key, r.Value, got[r.Key])
		}
		got[r.Key] = r.Value
	}
	return got
}

func TestWordCount(t *testing.T) {
	job := millrace.NewJob("test")
	out := sinks.Collect[millrace.Pair[string, int64]]()
	lines := job.From("lines", sources.Slice("To be or", "", "not to BE"))
	topologies.WordCount(lines).To("out", out, millrace.Update)
	run(t, job)
	if got, want := last(t, out.Values()), map[string]int64{"to": 2, "be": 2, "or": 1, "not": 1}; !maps.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestKeyedCount(t *testing.T) {
	job := millrace.NewJob("test")
	out := sinks.Collect[millrace.Pair[string, int64]]()
	topologies.KeyedCount(job.From("keys", sources.Slice("a", "b", "a", "", "A", "a"))).To("out", out, millrace.Update)
	run(t, job)
	if got, want := last(t, out.Values()), map[string]int64{"a": 3, "b": 1, "": 1, "A": 1}; !maps.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestCountByValue(t *testing.T) {
	one, two := topologies.Stamped{TimeNS: 1, Value: "x"}, topologies.Stamped{TimeNS: 2, Value: "x"}
	job := millrace.NewJob("test")
	out := sinks.Collect[millrace.Pair[topologies.Stamped, int64]]()
	topologies.CountByValue(job.From("values", sources.Slice(one, two, one))).To("out", out, millrace.Update)
	run(t, job)
	if got, want := last(t, out.Values()), map[topologies.Stamped]int64{one: 2, two: 1}; !maps.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if got := two.String(); got != "1970-01-01T00:00:00.000000002Z,x" {
		t.Fatalf("key text %q", got)
	}
}

func TestTTLState(t *testing.T) {
	job := millrace.NewJob("test")
	out := sinks.Collect[topologies.Tally]()
	topologies.TTLState(job.From("keys", sources.Slice("a", "b", "a", "a", "b"))).To("out", out)
	run(t, job)
	seen := map[string]int64{}
	for _, y := range out.Values() {
		seen[y.Key]++
		if n := seen[y.Key]; y.Value != n || y.List != n || y.Map != n || y.SourceNS <= 0 {
			t.Fatalf("tally %+v, want %d in value, list and map, and a source time", y, n)
		}
	}
	if want := map[string]int64{"a": 3, "b": 2}; !maps.Equal(seen, want) {
		t.Fatalf("got %v, want %v", seen, want)
	}
}

func TestAllHaveNamesAndTexts(t *testing.T) {
	var names []string
	for _, x := range topologies.All() {
		if x.Name == "" || x.Doc == "" || slices.Contains(names, x.Name) {
			t.Errorf("topology %q (%q): no name, no text, or a name used twice", x.Name, x.Doc)
		}
		names = append(names, x.Name)
	}
}
