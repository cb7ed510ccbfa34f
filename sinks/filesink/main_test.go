package filesink_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files are those in dir that readers take, by name, in the order of their names.
func files(t *testing.T, dir string) (names, texts []string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		names, texts = append(names, f.Name()), append(texts, string(text))
	}
	return names, texts
}

// lines are the lines of all files.
func lines(t *testing.T, dir string) (all []string) {
	t.Helper()
	_, texts := files(t, dir)
	for _, text := range texts {
		for line := range strings.Lines(text) {
			all = append(all, strings.TrimSuffix(line, "\n"))
		}
	}
	return all
}

// committer is what the tests call of a writer.
type committer[T any] interface {
	sinks.Writer[T]
	sinks.Committer
	sinks.Batcher
}

func at(attempt flow.Attempt) sinks.Instance {
	return sinks.Instance{Job: "job", Lineage: "lineage", Operator: "out", Tasks: 1, Attempt: attempt}
}

func open[T any](t *testing.T, sink sinks.Sink[T], attempt flow.Attempt) committer[T] {
	t.Helper()
	w, err := sink.Open(t.Context(), at(attempt))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w.(committer[T])
}

func batch[T any](values ...T) *flow.Batch[T] {
	b := &flow.Batch[T]{}
	for _, v := range values {
		b.Records = append(b.Records, flow.Record[T]{Value: v})
	}
	return b
}

func write[T any](t *testing.T, w sinks.Writer[T], values ...T) {
	t.Helper()
	if err := w.Write(t.Context(), batch(values...)); err != nil {
		t.Fatal(err)
	}
}

// prepare prepares an epoch, which ends a batch or not.
func prepare[T any](t *testing.T, w committer[T], ends bool) []byte {
	t.Helper()
	if ends {
		if err := w.EndBatch(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	token, err := w.Prepare(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// publish writes values as a batch that goes well.
func publish[T any](t *testing.T, w committer[T], values ...T) {
	t.Helper()
	write(t, w, values...)
	if err := w.Commit(t.Context(), [][]byte{prepare(t, w, true)}); err != nil {
		t.Fatal(err)
	}
}

// recovered starts an attempt from tokens.
func recovered[T any](t *testing.T, sink sinks.Sink[T], attempt flow.Attempt, tokens ...[]byte) error {
	t.Helper()
	var prepared []sinks.Prepared
	for i, token := range tokens {
		prepared = append(prepared, sinks.Prepared{Attempt: 1, Epoch: flow.Epoch(i + 7), Token: token})
	}
	return sink.(sinks.Transactional).Recover(t.Context(), at(attempt), prepared)
}

func check(t *testing.T, sink any) error {
	t.Helper()
	return sink.(sinks.Checker).Check(t.Context())
}

func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("got error %v, want one with %q", err, p)
		}
	}
}
