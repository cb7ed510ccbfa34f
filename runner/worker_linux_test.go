package runner_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/topologies"
)

// workersOf are the children of a process that are alive, by the kernel's own list.
func workersOf(t *testing.T, pid int) (workers []int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("the children of process %d are not listed in /proc: %v; the kernel needs CONFIG_PROC_CHILDREN", pid, err)
	}
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // of a thread that has just ended
		for _, child := range strings.Fields(string(text)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			workers = append(workers, n)
		}
	}
	return workers
}

func kill9(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Workers that are killed are replaced, and the result is exact; the second run goes on where the first one was stopped. The input has no pace: a
// throttled one stays at home.
func TestWorkersKilled(t *testing.T) {
	const lines = 300_000
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	args := []string{
		"run", "wordcount", "--workers", "2", "--parallelism", "3", "--records", fmt.Sprint(lines), "--rate", "0", "--keys", "3000", "--words", "uniform",
		"--checkpoint-interval", "100ms", "--state-dir", filepath.Join(dir, "state"), "--output", out,
	}
	first := begin(t, nil, args...)
	first.until(t, live)
	workers := workersOf(t, first.Process.Pid)
	if len(workers) != 2 {
		t.Fatalf("workers %v, want 2\n%s", workers, first.out)
	}
	kill9(t, workers[0])
	first.until(t, regexp.MustCompile(`worker-\d has ended \(signal: killed\): another is started`))
	first.until(t, regexp.MustCompile(`attempt failed; restoring from the newest complete epoch`))
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	first.want(t)
	if text := first.out.String(); !strings.Contains(text, "the next run goes on from") {
		t.Fatalf("it did not stop after a last epoch:\n%s", text)
	}
	second := begin(t, nil, args...)
	second.want(t)
	if got, want := read(t, out), counts(topologies.Text{Words: 3000, Choice: topologies.Uniform}, lines); got != want {
		t.Fatalf("the output differs from the counts: %d and %d bytes\n%s\n%s", len(got), len(want), first.out, second.out)
	}
}

// A run that is killed takes its workers with it.
func TestWorkersDieWithTheirRun(t *testing.T) {
	r := begin(t, nil, "run", "wordcount", "--workers", "2", "--state-dir", filepath.Join(t.TempDir(), "state"))
	r.until(t, live)
	workers := workersOf(t, r.Process.Pid)
	if len(workers) != 2 {
		t.Fatalf("workers %v, want 2\n%s", workers, r.out)
	}
	kill9(t, r.Process.Pid)
	if err := <-r.ended; err == nil {
		t.Fatal("it ended by itself")
	}
	late := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, w := range workers {
		for alive(w) {
			select {
			case <-tick.C:
			case <-late:
				t.Fatalf("worker %d lives on", w)
			}
		}
	}
}

// alive says whether a process runs; one that has ended and was not waited for does not.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return rest[0] != "Z" && rest[0] != "X"
}
