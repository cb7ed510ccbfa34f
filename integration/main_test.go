//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// built is where the runner's binary is, one for all tests.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if built.dir != "" {
			_ = os.RemoveAll(built.dir)
		}
		os.Exit(code)
	}))
}

// runnerPath builds cmd/runner, as a user would.
func runnerPath(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "millrace-integration-"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", built.dir, "github.com/millrace-io/millrace/cmd/runner")
		if text, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, text)
		}
	})
	if built.err != nil {
		t.Fatalf("build the runner: %v", built.err)
	}
	return filepath.Join(built.dir, "runner")
}

// setting is a whole number from the environment.
func setting(t *testing.T, name string, byDefault int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a whole number from 1", name, text)
	}
	return n
}

// seed is that of MILLRACE_SEED, to see a failure again, or a new one; it is printed either way.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(setting(t, "MILLRACE_SEED", int64(newSeed())))
	t.Logf("seed: MILLRACE_SEED=%d", s)
	return s
}
