package millrace_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/sources"
)

type class struct {
	ID    int
	Title string
}

func (c class) id() int { return c.ID }

func inClass(id int, c class) string { return strings.Repeat("*", id) + c.Title }

func inClassOrNone(id int, c class, has bool) string {
	if !has {
		return strings.Repeat("*", id) + "none"
	}
	return inClass(id, c)
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A static table gives the same whatever it is read from; a key may have several rows, and a record none.
func TestJoinStatic(t *testing.T) {
	same := func(id int) int { return id }
	tables := map[string]*millrace.Static[int, class]{
		"slice":      millrace.NewStatic(sources.Slice(class{1, "go"}, class{2, "sql"}, class{1, "art"}), millrace.StaticConfig{}, class.id),
		"JSON array": millrace.StaticJSON(file(t, "classes[1].json", "\n[{\"ID\":1,\"Title\":\"go\"},\n {\"ID\":2,\"Title\":\"sql\"},{\"ID\":1,\"Title\":\"art\"}]\n"), millrace.StaticConfig{}, class.id),
		"JSON lines": millrace.StaticJSON(file(t, "c.json", "{\"ID\":1,\"Title\":\"go\"}\n{\"ID\":2,\"Title\":\"sql\"}\n\n{\"ID\":1,\"Title\":\"art\"}"), millrace.StaticConfig{}, class.id),
		"CSV":        millrace.StaticCSV(file(t, "classes[1]*.csv", "title,id\ngo,1\nsql,2\nart,1\n"), millrace.StaticConfig{}, class.id),
	}
	for name, table := range tables {
		t.Run(name, func(t *testing.T) {
			millracetest.Play(t, func(s *millracetest.Script) {
				in, inner, left := s.Input[int](), s.Output[string](), s.Output[string]()
				s.Build(func(j *millrace.Job) {
					ids := j.From("in", in)
					ids.JoinStatic("inner", table, same, inClass).To("inner out", inner)
					ids.LeftJoinStatic("left", table, same, inClassOrNone).To("left out", left)
				})
				in.Send(2, 3, 1)
				inner.Want("**sql", "*go", "*art")
				left.Want("**sql", "***none", "*go", "*art")
				if d := s.Dropped(); d.Filtered != 1 {
					t.Errorf("%d filtered, want 1", d.Filtered)
				}
				s.End()
			})
		})
	}
}

// What is wrong with a table is one error at start, which names the operator and the place.
func TestWrongStaticTables(t *testing.T) {
	many := strings.Repeat("1,go\n", 100)
	for name, c := range map[string]struct {
		table *millrace.Static[int, class]
		want  []string
	}{
		"no file":       {millrace.StaticCSV("/nowhere/classes.csv", millrace.StaticConfig{}, class.id), []string{"/nowhere/classes.csv", "no such file"}},
		"no JSON file":  {millrace.StaticJSON("/nowhere/classes.json", millrace.StaticConfig{}, class.id), []string{"/nowhere/classes.json", "no such file"}},
		"bad CSV":       {millrace.StaticCSV(file(t, "c.csv", "id,title\n1,go\nx,sql\n"), millrace.StaticConfig{}, class.id), []string{"c.csv, line 3", `"x"`}},
		"no column":     {millrace.StaticCSV(file(t, "c.csv", "id,name\n1,go\n"), millrace.StaticConfig{}, class.id), []string{"c.csv", "Title"}},
		"bad JSON":      {millrace.StaticJSON(file(t, "c.json", "{\"ID\":1}\n{\"ID\":\"x\"}\n"), millrace.StaticConfig{}, class.id), []string{"c.json, line 2"}},
		"endless array": {millrace.StaticJSON(file(t, "c.json", "[{\"ID\":1},\n"), millrace.StaticConfig{}, class.id), []string{"c.json, line 1"}},
		"empty":         {millrace.StaticJSON(file(t, "c.json", "[]"), millrace.StaticConfig{}, class.id), []string{"it has no rows"}},
		"too large":     {millrace.StaticCSV(file(t, "c.csv", "id,title\n"+many), millrace.StaticConfig{BytesMax: 1000}, class.id), []string{"more than 1000 bytes", "StaticConfig.BytesMax"}},
		"no table":      {nil, []string{"static table is nil"}},
		"no key":        {millrace.NewStatic[class, int](sources.Slice(class{}), millrace.StaticConfig{}, nil), []string{"func is nil"}},
		"no source":     {millrace.NewStatic(nil, millrace.StaticConfig{}, class.id), []string{"source is nil"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := millrace.NewJob("wrong")
			j.From("ids", sources.Slice(1)).JoinStatic("classes", c.table, func(id int) int { return id }, inClass).To("out", &memory[string]{})
			_, err := j.Start(t.Context(), millrace.Config{StateDir: t.TempDir()})
			for _, want := range append(c.want, `operator "classes"`) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v does not say %s", err, want)
				}
			}
		})
	}
}

// A table that has changed since the checkpoint is used, and the log says so; one that has not is not mentioned.
func TestAChangedStaticTableIsSaidInTheLog(t *testing.T) {
	dir := t.TempDir()
	start := func(title string) string {
		var log bytes.Buffer
		table := millrace.NewStatic(sources.Slice(class{1, title}), millrace.StaticConfig{}, class.id)
		j := millrace.NewJob("changing")
		j.From("ids", sources.Slice(1, 1)).JoinStatic("classes", table, func(id int) int { return id }, inClass).To("out", &memory[string]{})
		run(t, j, millrace.Config{StateDir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		return log.String()
	}
	for i, c := range []struct {
		title string
		says  bool
	}{{"go", false}, {"go", false}, {"art", true}, {"art", false}} {
		if log := start(c.title); strings.Contains(log, "static table is another") != c.says {
			t.Errorf("start %d, %s: log %s", i, c.title, log)
		}
	}
}
