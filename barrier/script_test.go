package barrier_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "record the scripts' output anew; commit a difference only if you understand it")

// command is one line of a script: a name and its arguments, such as "barrier lane=0 epoch=7".
type command struct {
	name string
	args map[string]string
}

// machine carries out a script's commands one after the other and answers each with lines of text.
type machine interface {
	run(c command) ([]string, error)
}

// story runs a script: paragraphs of comments, or of commands, a rule "----" and their output as it was recorded.
func story(t *testing.T, path string, m machine) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		got = append(got, tell(t, path, paragraph, m))
	}
	told := strings.Join(got, "\n\n") + "\n"
	if *rewrite {
		if err := os.WriteFile(path, []byte(told), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if told != string(text) {
		t.Errorf("%s: the output differs from what was recorded (run with -rewrite to see it as a diff); got:\n%s", path, told)
	}
}

// tell is the paragraph with the output of its commands as it is now.
func tell(t *testing.T, path, paragraph string, m machine) string {
	t.Helper()
	var told, out []string
	for line := range strings.SplitSeq(paragraph, "\n") {
		if line == "----" {
			break
		}
		told = append(told, line)
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		c, err := parse(line)
		if err == nil {
			var lines []string
			lines, err = m.run(c)
			out = append(out, lines...)
		}
		if err != nil {
			t.Fatalf("%s: %q: %v", path, line, err)
		}
	}
	if len(out) > 0 {
		told = append(append(told, "----"), out...)
	}
	return strings.Join(told, "\n")
}

func parse(line string) (command, error) {
	fields := strings.Fields(line)
	c := command{name: fields[0], args: map[string]string{}}
	for _, f := range fields[1:] {
		name, value, found := strings.Cut(f, "=")
		if !found {
			return c, fmt.Errorf("argument %q, want name=value", f)
		}
		c.args[name] = value
	}
	return c, nil
}

// num is the number in an argument, or def without one.
func (c command) num(name string, def int64) (n int64) {
	if s, ok := c.args[name]; ok {
		if _, err := fmt.Sscan(s, &n); err != nil {
			panic(fmt.Sprintf("%s: %s=%q: %v", c.name, name, s, err))
		}
		return n
	}
	return def
}

// stories runs every script that matches, each on its own machine.
func stories(t *testing.T, glob string, fresh func() machine) {
	paths, err := filepath.Glob(filepath.Join("testdata", glob))
	if err != nil || len(paths) == 0 {
		t.Fatalf("scripts %s: found %d: %v", glob, len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { story(t, path, fresh()) })
	}
}
