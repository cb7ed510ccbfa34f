package runner_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/topologies"
)

const text = "To be, or not to be:\r\nthat is\tthe QUESTION\n\n\u00c0\u00a0la carte \xff\nto \xffA"

const textCounts = "be,\t1\nbe:\t1\ncarte\t1\nis\t1\nla\t1\nnot\t1\nor\t1\nquestion\t1\nthat\t1\nthe\t1\nto\t3\n\u00e0\t1\n\xff\t1\n\xffa\t1\n"

func TestWordCountOfAFile(t *testing.T) {
	in, dir := file(t, "in.txt", text), t.TempDir()
	for _, state := range []string{"memory", "badger"} {
		for _, guarantee := range []string{"exactly-once", "at-least-once", "at-most-once"} {
			out := filepath.Join(dir, state+guarantee)
			r := command(t, "run", "wordcount", "--file", in, "--output", out, "--state", state, "--guarantee", guarantee,
				"--state-dir", filepath.Join(dir, "state-"+state+guarantee)).want(t, 0)
			if got := read(t, out); got != textCounts {
				t.Errorf("%s, %s: got %q, want %q", state, guarantee, got, textCounts)
			}
			if !strings.Contains(r.stdout, "; to 3") || !strings.Contains(r.stderr, "wordcount: finished after") {
				t.Errorf("%s, %s: the view or the end is missing\n%s\n%s", state, guarantee, r.stdout, r.stderr)
			}
		}
	}
}

func TestWordCountOfAStream(t *testing.T) {
	s := natstest.Start(t, nil)
	s.Stream(t, "LINES", "to be or", "not to be")
	out := filepath.Join(t.TempDir(), "out")
	command(t, "run", "wordcount", "--nats-url", s.URL, "--nats-stream", "LINES", "--nats-subject", "LINES.x,LINES.y", "--from", "2", "--until-end",
		"--output", out, "--state-dir", "").want(t, 0)
	if got := read(t, out); got != "be\t1\nnot\t1\nto\t1\n" {
		t.Errorf("got %q", got)
	}
}

func TestWordCountOfStandardInput(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r := commandWith(t.Context(), text, "run", "wordcount", "--file", "-", "--output", out, "--state-dir", "", "--quiet").want(t, 0)
	if got := read(t, out); got != textCounts || r.stdout != "" || r.stderr != "" {
		t.Fatalf("got %q, want %q; --quiet printed %q and %q", got, textCounts, r.stdout, r.stderr)
	}
}

// A run that was interrupted and its successor together read exactly --records lines; a third finds the end reached.
func TestRecordsIsExactOverRuns(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	args := func(rate string) []string {
		return []string{
			"run", "wordcount", "--records", "5000", "--keys", "700", "--words", "uniform", "--rate", rate,
			"--state-dir", filepath.Join(dir, "state"), "--output", out, "--checkpoint-interval", "20ms",
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, stderr := output{filled: cancel}, output{}
	if code := runner.Run(ctx, args("3000"), strings.NewReader(""), &stdout, &stderr, topologies.All()...); code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) || !strings.Contains(stderr.String(), "the next run goes on from") {
		t.Fatalf("the interrupted run wrote its output (%v), or did not say that it stopped:\n%s", err, stderr.String())
	}
	for range 2 {
		command(t, args("0")...).want(t, 0)
		if got, want := read(t, out), counts(topologies.Text{Words: 700, Choice: topologies.Uniform}, 5000); got != want {
			t.Fatalf("the output differs from the counts: %d and %d bytes", len(got), len(want))
		}
	}
}

func TestDeadLettersGoToTheirFile(t *testing.T) {
	dir := t.TempDir()
	in, dead, out := file(t, "in.txt", "a\n"+strings.Repeat("x", 2<<20)+"\nb\n"), filepath.Join(dir, "dead"), filepath.Join(dir, "out")
	command(t, "run", "wordcount", "--file", in, "--output", out, "--dead-letters", dead, "--state-dir", filepath.Join(dir, "state")).want(t, 0)
	letters := read(t, dead)
	if got := read(t, out); got != "a\t1\nb\t1\n" || strings.Count(letters, "\n") != 1 ||
		!strings.HasPrefix(letters, `{"operator":"file","split":"`+in+`","position":"line 2, byte 2","reason":"line of 2097152 bytes`) {
		t.Fatalf("output %q, dead letters %.200q", got, letters)
	}
}

func TestTwoRunsOnOneStateDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started, ended := make(chan struct{}), make(chan int, 1)
	stdout, stderr := output{filled: func() { close(started) }}, output{}
	go func() {
		ended <- runner.Run(ctx, []string{"run", "wordcount", "--state-dir", dir}, strings.NewReader(""), &stdout, &stderr, topologies.All()...)
	}()
	select {
	case <-started:
	case code := <-ended:
		t.Fatalf("the first run ended with %d:\n%s", code, stderr.String())
	}
	second := command(t, "run", "wordcount", "--state-dir", dir)
	cancel()
	if code := <-ended; code != 0 {
		t.Fatalf("the first run ended with %d:\n%s", code, stderr.String())
	}
	second.want(t, 1)
	if strings.Count(second.stderr, "\n") != 1 || !strings.Contains(second.stderr, dir) {
		t.Fatalf("want one line that names %s, got:\n%s", dir, second.stderr)
	}
}
