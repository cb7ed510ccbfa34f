package runner_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/topologies"
)

// An interrupt stops at a savepoint, another state directory goes on from there, and the words are those of one run over all.
func TestARunGoesOnFromASavepoint(t *testing.T) {
	dir := t.TempDir()
	savepoint, out := filepath.Join(dir, "savepoint"), filepath.Join(dir, "counts")
	run := func(ctx context.Context, filled func(), args ...string) (int, string) {
		stdout, stderr := &output{filled: filled}, &output{}
		args = append([]string{"run", "wordcount", "--words", "round-robin", "--keys", "100", "--records", "3000"}, args...)
		code := runner.Run(ctx, args, strings.NewReader(""), stdout, stderr, topologies.All()...)
		return code, stdout.String() + stderr.String()
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	code, text := run(ctx, interrupt, "--rate", "100", "--state-dir", filepath.Join(dir, "one"), "--stop-with-savepoint", savepoint)
	if code != 0 || !strings.Contains(text, "wordcount: savepoint of epoch ") || !strings.Contains(text, "wordcount: stopped after") {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	if err := os.RemoveAll(filepath.Join(dir, "one")); err != nil {
		t.Fatal(err)
	}
	code, text = run(t.Context(), nil, "--rate", "0", "--state-dir", filepath.Join(dir, "two"), "--from-savepoint", savepoint, "--output", out)
	if code != 0 || !strings.Contains(text, "a new lineage begins from a savepoint") {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	whole := filepath.Join(dir, "whole")
	if code, text := run(t.Context(), nil, "--rate", "0", "--state-dir", "", "--output", whole); code != 0 {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	if got, want := read(t, out), read(t, whole); got != want || got == "" {
		t.Errorf("counts over a savepoint:\n%s\nwant those of one run:\n%s", got, want)
	}
	code, text = run(t.Context(), nil, "--state-dir", filepath.Join(dir, "three"), "--stop-with-savepoint", savepoint)
	if code != 2 || !strings.Contains(text, "is not empty") {
		t.Errorf("into the same directory: exit code %d\n%s", code, text)
	}
}
