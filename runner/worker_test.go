package runner_test

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

// crewed is the runner as a process, with what it prints.
type crewed struct {
	*exec.Cmd
	out   *output
	ended chan error
}

// begin starts the runner as a process.
func begin(t *testing.T, env []string, args ...string) *crewed {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, args...)
	r := &crewed{c, &output{}, make(chan error, 1)}
	c.Env = append(append(os.Environ(), asRunner+"=1"), env...)
	c.Stdout, c.Stderr = r.out, r.out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill() }) // it has ended, or the test failed
	return r
}

// until waits for a text in what the process prints.
func (r *crewed) until(t *testing.T, what *regexp.Regexp) []string {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		if m := what.FindStringSubmatch(r.out.String()); m != nil {
			return m
		}
		select {
		case <-tick.C:
		case err := <-r.ended:
			t.Fatalf("it has ended (%v) without %v:\n%s", err, what, r.out)
		case <-late:
			t.Fatalf("no %v in\n%s", what, r.out)
		}
	}
}

func (r *crewed) want(t *testing.T) {
	t.Helper()
	if err := <-r.ended; err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
}

var live = regexp.MustCompile(`running: .*; \S+ \d`)
