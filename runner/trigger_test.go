package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The same job gives the same rows under any trigger, and batches of the size asked for.
func TestTriggersOfARun(t *testing.T) {
	for _, trigger := range []string{"real-time", "micro-batch", "every=10ms", "once", "available-now"} {
		t.Run(trigger, func(t *testing.T) {
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
			if err := os.WriteFile(in, []byte(strings.Repeat("To be or not to be\n", 1000)), 0o644); err != nil {
				t.Fatal(err)
			}
			command(t, "run", "wordcount", "--file", in, "--output", out, "--state-dir", filepath.Join(dir, "state"),
				"--trigger", trigger, "--max-records-per-batch", "300", "--quiet").want(t, 0)
			got, err := os.ReadFile(out)
			if want := "be\t2000\nnot\t1000\nor\t1000\nto\t2000\n"; err != nil || string(got) != want {
				t.Fatalf("got %q, error %v; want %q", got, err, want)
			}
		})
	}
}

func TestWrongTriggersOfARun(t *testing.T) {
	for want, args := range map[string][]string{
		"want real-time, micro-batch, every=INTERVAL, once or available-now": {"--trigger", "sometimes"},
		`want an interval such as every=10s, not "soon"`:                     {"--trigger", "every=soon"},
		"--max-records-per-batch is -1, want 0 (no limit) or more":           {"--max-records-per-batch", "-1"},
		"--commit-every has no meaning with --trigger once":                  {"--trigger", "once", "--commit-every", "20ms"},
	} {
		r := command(t, append([]string{"run", "wordcount", "--state-dir", t.TempDir()}, args...)...).want(t, 2)
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q: got %q, want %q", args, r.stderr, want)
		}
	}
}
