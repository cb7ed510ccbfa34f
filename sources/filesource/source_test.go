package filesource_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/filesource"
	"github.com/millrace-io/millrace/sources/sourcetest"
)

type row struct {
	ID   int64 `csv:"id" json:"id"`
	Name string
}

func TestConforms(t *testing.T) {
	texts, objects, tables := t.TempDir(), t.TempDir(), t.TempDir()
	var lines []string
	var rows []row
	for i, n := range []int{3, 0, 1, 7, 2} {
		var text, object, table strings.Builder
		table.WriteString("name,id\n")
		for k := range n {
			v := row{int64(10*i + k), fmt.Sprint("n", i, k)}
			lines, rows = append(lines, v.Name), append(rows, v)
			fmt.Fprintf(&text, "%s\r\n", v.Name)
			fmt.Fprintf(&object, `{"id":%d,"Name":%q}`+"\n\n", v.ID, v.Name)
			fmt.Fprintf(&table, "%q,%d\n", v.Name, v.ID)
		}
		name := fmt.Sprint("file", i)
		put(t, texts, name, strings.TrimSuffix(text.String(), "\r\n"), i)
		put(t, objects, name, object.String(), i)
		put(t, tables, name, table.String(), i)
	}
	idle := func(t *testing.T) filesource.Config { return filesource.Config{Dir: t.TempDir(), PollEvery: 1} }
	sourcetest.Run(t, sourcetest.Case[string]{
		New: func(*testing.T) sources.Source[string] {
			return filesource.Text(filesource.Config{Dir: texts, Once: true})
		},
		Want: map[string][]string{"files": lines},
		Idle: func(t *testing.T) sources.Source[string] { return filesource.Text(idle(t)) },
	})
	sourcetest.Run(t, sourcetest.Case[row]{
		New: func(*testing.T) sources.Source[row] {
			return filesource.JSON[row](filesource.Config{Dir: objects, Once: true})
		},
		Want: map[string][]row{"files": rows},
		Idle: func(t *testing.T) sources.Source[row] { return filesource.JSON[row](idle(t)) },
	})
	sourcetest.Run(t, sourcetest.Case[row]{
		New: func(*testing.T) sources.Source[row] {
			return filesource.CSV[row](filesource.CSVConfig{Config: filesource.Config{Dir: tables, Once: true, MaxFilesPerTrigger: 2}})
		},
		Want: map[string][]row{"files": rows},
		Idle: func(t *testing.T) sources.Source[row] {
			return filesource.CSV[row](filesource.CSVConfig{Config: idle(t)})
		},
	})
}

// TestOrderAndNames: by modification time, then name; hidden, incomplete and unmatched names and directories are passed.
func TestOrderAndNames(t *testing.T) {
	dir := t.TempDir()
	for name, sec := range map[string]int{"b.txt": 5, "a.txt": 5, "z.txt": 1, "c.txt": 9, ".h.txt": 1, "_h.txt": 1, "d.txt.tmp": 1, "x.csv": 1} {
		put(t, dir, name, name, sec)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.txt"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, open(t, filesource.Text(filesource.Config{Dir: dir, Pattern: "*.txt*", Once: true}), nil))
	if want := []string{"z.txt", "a.txt", "b.txt", "c.txt"}; !slices.Equal(got.values, want) || !errors.Is(got.err, io.EOF) {
		t.Errorf("got %q, %v", got.values, got.err)
	}
	got = readAll(t, open(t, filesource.Text(filesource.Config{Dir: dir, Pattern: "*.tmp", Once: true}), nil))
	if len(got.values) > 0 {
		t.Errorf("got %q", got.values)
	}
}

// TestTimeIsTheFiles so that it is the same when a file is read again.
func TestTimeIsTheFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "f", "v\n", 77)
	r := open(t, filesource.Text(filesource.Config{Dir: dir}), nil)
	defer r.Close()
	b := &sources.Batch[string]{Records: make([]flow.Record[string], 0, 5)}
	if err := r.Read(t.Context(), b); err != nil || b.Records[0].TimeNS != 1_700_000_077e9 {
		t.Errorf("got %+v, %v", b.Records, err)
	}
}

// TestExactlyOnceOverRestarts: files come while others are read, some modified earlier than those read; attempts fail and
// go on from positions kept; files that were read are removed. Each line is given once behind the positions kept.
func TestExactlyOnceOverRestarts(t *testing.T) {
	for range 60 {
		seed := rand.Uint64()
		overRestarts(t, seed, seed%2 == 0)
	}
}

// run is a directory, what was put there, and what was given up to the position kept.
type run struct {
	t         *testing.T
	seed      uint64
	rng       *rand.Rand
	dir       string
	put, kept []string
	files     map[string]int // lines of it not given yet, at the position kept
	at        flow.Position
}

func overRestarts(t *testing.T, seed uint64, batches bool) {
	r := &run{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 3)), dir: t.TempDir(), files: map[string]int{}}
	for r.rng.IntN(25) > 0 || len(r.put) == 0 {
		r.arrive()
		if batches {
			r.batch()
		} else {
			r.attempt()
		}
		r.clean()
	}
	last := readAll(t, open(t, filesource.Text(filesource.Config{Dir: r.dir, Once: true}), r.at))
	got := append(r.kept, last.values...)
	if !errors.Is(last.err, io.EOF) || len(last.bad) > 0 {
		t.Fatalf("seed %d: %v %v", seed, last.err, last.bad)
	}
	slices.Sort(got)
	slices.Sort(r.put)
	if !slices.Equal(got, r.put) {
		t.Fatalf("seed %d: got %d lines, want %d:\n%q\n%q", seed, len(got), len(r.put), got, r.put)
	}
}

func (r *run) arrive() {
	for range r.rng.IntN(4) {
		name := fmt.Sprintf("f%03d", r.rng.IntN(1000))
		if _, err := os.Stat(filepath.Join(r.dir, name)); err == nil || r.files[name] != 0 {
			continue
		}
		var text strings.Builder
		for k := range r.rng.IntN(8) {
			line := fmt.Sprint(name, "-", k, "-", len(r.put))
			fmt.Fprintln(&text, line)
			r.put = append(r.put, line)
			r.files[name]++
		}
		put(r.t, r.dir, name, text.String(), r.rng.IntN(100))
	}
}

// attempt reads some batches, more files coming in between, and keeps one of the positions.
func (r *run) attempt() {
	rd := open(r.t, filesource.Text(filesource.Config{Dir: r.dir, PollEvery: 1}), r.at)
	defer rd.Close()
	var got []string
	for range r.rng.IntN(8) {
		if len(r.put) == len(r.kept)+len(got) {
			return // Read would wait
		}
		b := &sources.Batch[string]{Records: make([]flow.Record[string], 0, 1+r.rng.IntN(6))}
		if err := rd.Read(r.t.Context(), b); err != nil || len(b.Bad) > 0 {
			r.t.Fatalf("seed %d: %v %v", r.seed, err, b.Bad)
		}
		for _, rec := range b.Records {
			got = append(got, rec.Value)
		}
		if r.rng.IntN(2) == 0 {
			r.keep(got, b.Next)
			got = nil
		}
		if r.rng.IntN(4) == 0 {
			r.arrive()
		}
	}
}

// batch plans one, lets more files come, and reads it, with a restart within.
func (r *run) batch() {
	src := filesource.Text(filesource.Config{Dir: r.dir})
	b, _ := sources.BounderOf(src)
	until, err := b.Latest(r.t.Context(), split(r.t, src), r.at, int64(r.rng.IntN(3)))
	if err != nil {
		r.t.Fatalf("seed %d: %v", r.seed, err)
	}
	if bytes.Equal(until, r.at) {
		return
	}
	r.arrive()
	for done := false; !done; {
		rd, err := b.OpenUntil(r.t.Context(), split(r.t, src), r.at, until)
		if err != nil {
			r.t.Fatalf("seed %d: %v", r.seed, err)
		}
		for broken := false; !broken && !done; broken = r.rng.IntN(4) == 0 {
			b := &sources.Batch[string]{Records: make([]flow.Record[string], 0, 1+r.rng.IntN(6))}
			err := rd.Read(r.t.Context(), b)
			if done = errors.Is(err, io.EOF); err != nil && !done {
				r.t.Fatalf("seed %d: %v", r.seed, err)
			}
			var got []string
			for _, rec := range b.Records {
				got = append(got, rec.Value)
			}
			r.keep(got, b.Next)
		}
		rd.Close()
	}
	if !bytes.Equal(r.at, until) {
		r.t.Fatalf("seed %d: batch ended at %x, want %x", r.seed, r.at, until)
	}
}

func (r *run) keep(got []string, at flow.Position) {
	r.kept, r.at = append(r.kept, got...), slices.Clone(at)
	for _, line := range got {
		name, _, _ := strings.Cut(line, "-")
		r.files[name]--
	}
}

// clean removes some files that were read to their last line. Their names may come again once they were seen to be gone.
func (r *run) clean() {
	var names []string
	for name, left := range r.files {
		if _, err := os.Stat(filepath.Join(r.dir, name)); left == 0 && err == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if r.rng.IntN(3) == 0 && !bytes.Contains(r.at, []byte(name)) {
			remove(r.t, r.dir, name)
			r.files[name] = -1 // not again: a reader that did not look meanwhile would take it for the one it knows
		}
	}
}

// TestPositionForgets: names of files that are gone, or too old, are not kept.
func TestPositionForgets(t *testing.T) {
	for name, maxAge := range map[string]time.Duration{"gone": 0, "old": 10 * time.Second} {
		dir := t.TempDir()
		src := filesource.Text(filesource.Config{Dir: dir, PollEvery: 1, MaxAge: maxAge})
		var at flow.Position
		most := 0
		for i := range 100 {
			put(t, dir, fmt.Sprint("f", i), "v\n", i)
			got := readAll(t, open(t, src, at))
			if len(got.values) != 1 || len(got.bad) > 0 {
				t.Fatalf("%s: file %d: %+v", name, i, got)
			}
			at, most = got.next, max(most, len(got.next))
			if name == "gone" {
				remove(t, dir, fmt.Sprint("f", i))
			}
		}
		if most > 200 {
			t.Errorf("%s: position of up to %d bytes", name, most)
		}
	}
}

func TestLateAndChangedFilesAreDeadLetters(t *testing.T) {
	dir := t.TempDir()
	src := filesource.Text(filesource.Config{Dir: dir, PollEvery: 1, MaxAge: 10 * time.Second})
	put(t, dir, "new", "new\n", 100)
	first := readAll(t, open(t, src, nil))
	put(t, dir, "within", "within\n", 95)
	put(t, dir, "older", "older\n", 50)
	put(t, dir, "new", "replaced\n", 101)
	got := readAll(t, open(t, src, first.next))
	if !slices.Equal(got.values, []string{"within"}) || len(got.bad) != 2 ||
		got.bad[0].Position != "older" || !strings.Contains(got.bad[0].Reason, "raise Config.MaxAge") ||
		got.bad[1].Position != "new" || !strings.Contains(got.bad[1].Reason, "changed or replaced") {
		t.Errorf("got %+v", got)
	}
	if again := readAll(t, open(t, src, got.next)); len(again.values)+len(again.bad) > 0 {
		t.Errorf("told again: %+v", again)
	}
}

func TestFilesThatDoNotStayAreErrors(t *testing.T) {
	dir := t.TempDir()
	src := filesource.Text(filesource.Config{Dir: dir})
	b, _ := sources.BounderOf(src)
	for name, c := range map[string]struct {
		spoil func()
		says  []string
	}{
		"vanished": {func() { remove(t, dir, "two") }, []string{`"two"`, "vanished"}},
		"shrank":   {func() { put(t, dir, "two", "x", 2) }, []string{`"two"`, "had 12 bytes", "has 1"}},
		"grew":     {func() { put(t, dir, "two", "a longer text than that", 2) }, []string{`"two"`, "had 12 bytes"}},
	} {
		put(t, dir, "one", "a\nb\n", 1)
		put(t, dir, "two", "twelve bytes", 2)
		until, err := b.Latest(t.Context(), split(t, src), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		c.spoil()
		r, err := b.OpenUntil(t.Context(), split(t, src), nil, until)
		if err != nil {
			t.Fatal(err)
		}
		got := readAll(t, r)
		if mustSay(t, got.err, c.says...); errors.Is(got.err, io.EOF) {
			t.Errorf("%s is the end", name)
		}
	}
}

// TestFileChangedWhileItIsReadIsAnError also over a restart.
func TestFileChangedWhileItIsReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "f", "one\ntwo\nthree\n", 1)
	src := filesource.Text(filesource.Config{Dir: dir, Once: true})
	r := open(t, src, nil)
	b := &sources.Batch[string]{Records: make([]flow.Record[string], 0, 1)}
	if err := r.Read(t.Context(), b); err != nil || b.Records[0].Value != "one" {
		t.Fatal(b, err)
	}
	r.Close()
	put(t, dir, "f", "other\ntext\nhere\n", 2)
	_, err := src.Open(t.Context(), split(t, src), b.Next)
	mustSay(t, err, `"f"`, "changed while it was read")
	remove(t, dir, "f")
	_, err = src.Open(t.Context(), split(t, src), b.Next)
	mustSay(t, err, `"f"`, "vanished")
}

func TestFileThatShrinksWhileItIsReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "f", strings.Repeat("a line of text\n", 20_000), 1)
	r := open(t, filesource.Text(filesource.Config{Dir: dir, Once: true}), nil)
	b := &sources.Batch[string]{Records: make([]flow.Record[string], 0, 1)}
	if err := r.Read(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "f"), 100); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, r)
	mustSay(t, got.err, `"f"`, "shrank", "300000 bytes")
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "file", "", 1)
	for says, cfg := range map[string]filesource.Config{
		"set Config.Dir": {}, "no such file": {Dir: dir + "/none"}, "use sources.Lines": {Dir: dir + "/file"},
		"pattern": {Dir: dir, Pattern: "["}, "negative": {Dir: dir, PollEvery: -1},
	} {
		mustSay(t, filesource.Text(cfg).(sources.Checker).Check(t.Context()), "file source: ", says)
	}
	if err := filesource.Text(filesource.Config{Dir: dir}).(sources.Checker).Check(t.Context()); err != nil {
		t.Error(err)
	}
}
