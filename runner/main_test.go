package runner_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/topologies"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

// asRunner makes the test binary be the runner: tests that kill it start themselves again.
const asRunner = "MILLRACE_TEST_AS_RUNNER"

func TestMain(m *testing.M) {
	if os.Getenv(asRunner) != "" {
		runner.Main(append(topologies.All(), batchLog)...)
	}
	goleak.VerifyTestMain(m)
}

// result is what a command line came to.
type result struct {
	code           int
	stdout, stderr string
}

func command(t *testing.T, args ...string) result {
	t.Helper()
	return commandWith(t.Context(), "", args...)
}

func commandWith(ctx context.Context, stdin string, args ...string) result {
	var stdout, stderr output
	code := runner.Run(ctx, args, strings.NewReader(stdin), &stdout, &stderr, topologies.All()...)
	return result{code, stdout.String(), stderr.String()}
}

// want checks the exit code.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// output is a buffer that several goroutines may write to; filled, when set, is called at the first line.
type output struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	filled func()
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.filled != nil && bytes.IndexByte(p, '\n') >= 0 {
		o.filled()
		o.filled = nil
	}
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := read(t, path); got != want {
		t.Errorf("%s differs; if that is meant, run go test ./runner -rewrite and look at the difference\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}
