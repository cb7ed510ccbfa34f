package runner_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/topologies"
)

// counts is what wordcount must write, counted with nothing of Millrace but the text.
func counts(text topologies.Text, lines int64) string {
	n := map[string]int{}
	for i := range lines {
		for _, w := range strings.Fields(strings.ToLower(text.Line(i))) {
			n[w]++
		}
	}
	var all []string
	for w := range n {
		all = append(all, w)
	}
	slices.Sort(all)
	var b strings.Builder
	for _, w := range all {
		fmt.Fprintf(&b, "%s\t%d\n", w, n[w])
	}
	return b.String()
}

// self is this test binary as the runner.
func self(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, args...)
	c.Env = append(os.Environ(), asRunner+"=1")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	return c, &out
}

// The process is killed with -9 at random moments, again soon after it was started again, until it is let finish: the output
// is the exact counts.
func TestKilledAtRandom(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for _, backend := range []string{"memory", "badger"} {
		dir := t.TempDir()
		out := filepath.Join(dir, "out")
		const lines = 60_000
		args := []string{
			"run", "wordcount", "--records", fmt.Sprint(lines), "--keys", "3000", "--words", "uniform", "--state", backend,
			"--checkpoint-interval", "60ms", "--commit-every", "15ms", "--state-dir", filepath.Join(dir, "state"), "--output", out,
		}
		for kill := range invariants.Sized(8, 5) {
			c, text := self(t, append(args, "--rate", "20000")...)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			after := time.NewTimer(time.Duration(20+random.IntN(400)) * time.Millisecond)
			select {
			case <-after.C:
				_ = c.Process.Kill() // it may have ended this moment
				if err := <-ended; err == nil {
					t.Logf("seed %d: run %d was done just before it was killed", seed, kill)
				}
			case err := <-ended:
				if err != nil {
					t.Fatalf("seed %d, %s, run %d: %v\n%s", seed, backend, kill, err, text)
				}
			}
		}
		c, text := self(t, append(args, "--rate", "0")...)
		if err := c.Run(); err != nil {
			t.Fatalf("seed %d, %s: the last run: %v\n%s", seed, backend, err, text)
		}
		if got, want := read(t, out), counts(topologies.Text{Words: 3000, Choice: topologies.Uniform}, lines); got != want {
			t.Fatalf("seed %d, %s: the output differs from the counts: %d and %d bytes", seed, backend, len(got), len(want))
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Fatalf("seed %d, %s: left behind: %q", seed, backend, left)
		}
	}
}

// An interrupt stops after a last epoch with exit code 0.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	c, _ := self(t, "run", "wordcount", "--state-dir", filepath.Join(dir, "state"))
	c.Stdout = nil
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := new(bytes.Buffer).ReadFrom(stdout); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || !strings.Contains(stderr.String(), "the next run goes on from") {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
}
