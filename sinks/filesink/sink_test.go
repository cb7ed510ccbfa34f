package filesink_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/filesink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.RunTransactional(t, sinktest.TransactionalCase[string]{
		New: func(t *testing.T) (func() sinks.Sink[string], func(*testing.T, int) []string) {
			cfg := filesink.Config{Dir: filepath.Join(t.TempDir(), "new", "out"), RollBytes: 10}
			return func() sinks.Sink[string] { return filesink.Text(cfg) },
				func(t *testing.T, _ int) []string { return lines(t, cfg.Dir) }
		},
		Value: func(i int) string { return "v" + strconv.Itoa(i) },
	})
}

// A file grows over epochs that end no batch, and is published by the one that does.
func TestOneFileForABatch(t *testing.T) {
	dir := t.TempDir()
	w := open(t, filesink.Text(filesink.Config{Dir: dir}), 3)
	write(t, w, "a", "b")
	tokens := [][]byte{prepare(t, w, false)}
	write(t, w, "c")
	tokens = append(tokens, prepare(t, w, false), prepare(t, w, false))
	if err := w.Commit(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	if names, _ := files(t, dir); len(names) > 0 {
		t.Fatalf("%q are there before the batch has ended", names)
	}
	publish(t, w, "d")
	publish(t, w, "e")
	names, texts := files(t, dir)
	if want := []string{"a\nb\nc\nd\n", "e\n"}; !slices.Equal(texts, want) {
		t.Fatalf("files hold %q, want %q", texts, want)
	}
	for i, name := range names {
		if want := "-000003-00000000000" + strconv.Itoa(i+1) + "-0000.txt"; !strings.HasPrefix(name, "part-") || !strings.HasSuffix(name, want) {
			t.Errorf("file %d is %q, want part-… with %s at its end", i, name, want)
		}
	}
	if token := prepare(t, w, true); token != nil {
		t.Errorf("an empty epoch has a token of %d bytes", len(token))
	}
}

func TestRolls(t *testing.T) {
	dir := t.TempDir()
	w := open(t, filesink.Text(filesink.Config{Dir: dir, Prefix: "x", Suffix: ".log", RollBytes: 4}), 1)
	publish(t, w, "1", "2", "long", "3")
	if _, texts := files(t, dir); !slices.Equal(texts, []string{"1\n2\n", "long\n", "3\n"}) {
		t.Errorf("files hold %q", texts)
	}
}

// A file that is full waits for the end of its batch like the others, whatever was committed in between.
func TestFullFilesWaitForTheirBatch(t *testing.T) {
	dir := t.TempDir()
	w := open(t, filesink.Text(filesink.Config{Dir: dir, RollBytes: 4}), 1)
	write(t, w, "1", "2", "3")
	for range 2 {
		if err := w.Commit(t.Context(), [][]byte{prepare(t, w, false)}); err != nil {
			t.Fatal(err)
		}
		if names, _ := files(t, dir); len(names) > 0 {
			t.Fatalf("%q are there before the batch has ended", names)
		}
	}
	publish(t, w)
	if _, texts := files(t, dir); !slices.Equal(texts, []string{"1\n2\n", "3\n"}) {
		t.Errorf("files hold %q", texts)
	}
}

// What an attempt that was overtaken still writes changes no file that the newer one has published.
func TestZombieChangesNothing(t *testing.T) {
	dir := t.TempDir()
	sink := filesink.Text(filesink.Config{Dir: dir})
	zombie := open(t, sink, 1)
	write(t, zombie, "a")
	open1 := prepare(t, zombie, false)
	write(t, zombie, "b") // in no record
	if err := recovered(t, sink, 2, open1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := lines(t, dir); !slices.Equal(got, []string{"a"}) {
			t.Fatalf("published %q, want a", got)
		}
		write(t, zombie, "c")
		prepare(t, zombie, false)
	}
	// It may even commit what was in the record: that is there already.
	if err := zombie.Commit(t.Context(), [][]byte{open1}); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("published %q, want a", got)
	}
}

// A run that was overtaken while it starts finds the files of the newer attempt.
func TestOvertakenRecoveryStops(t *testing.T) {
	sink := filesink.Text(filesink.Config{Dir: t.TempDir()})
	old := open(t, sink, 1)
	write(t, old, "a")
	token := prepare(t, old, true)
	newer := open(t, sink, 3)
	write(t, newer, "b")
	if err := recovered(t, sink, 2, token); !errors.Is(err, sinks.ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
}

// Operators of a job may share a directory, and so may lineages: none touches another's files.
func TestOperatorsShareDirectory(t *testing.T) {
	dir := t.TempDir()
	sink := filesink.Text(filesink.Config{Dir: dir})
	var tokens [][]byte
	var names []string
	for _, operator := range []string{"a", "b"} {
		who := at(1)
		who.Operator = operator
		opened, err := sink.Open(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		w := opened.(committer[string])
		write(t, w, operator)
		tokens, names = append(tokens, prepare(t, w, true)), append(names, operator)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range tokens {
		who := at(2)
		who.Operator = names[i]
		if err := sink.(sinks.Transactional).Recover(t.Context(), who, []sinks.Prepared{{Attempt: 1, Epoch: 1, Token: tokens[i]}}); err != nil {
			t.Fatal(err)
		}
		got := lines(t, dir)
		slices.Sort(got)
		if !slices.Equal(got, names[:i+1]) {
			t.Fatalf("published %q, want %q", got, names[:i+1])
		}
	}
}

// What its own attempt has begun already is not Recover's.
func TestRecoverLeavesItsOwnAttempt(t *testing.T) {
	dir := t.TempDir()
	sink := filesink.Text(filesink.Config{Dir: dir})
	w := open(t, sink, 2)
	write(t, w, "a")
	if err := recovered(t, sink, 2); err != nil {
		t.Fatal(err)
	}
	publish(t, w, "b")
	if got := lines(t, dir); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("published %q", got)
	}
}

// TestRecoverFindsDamage: what cannot be known to be published is an error.
func TestRecoverFindsDamage(t *testing.T) {
	for _, c := range []struct {
		name  string
		ends  bool
		spoil func(t *testing.T, hidden, final string)
		says  []string
	}{
		{"both gone", true, func(t *testing.T, hidden, _ string) { remove(t, hidden) }, []string{"epoch 7", "is gone", "put it back"}},
		{"both gone, not ended", false, func(t *testing.T, hidden, _ string) { remove(t, hidden) }, []string{"is gone", "ReadersRemove"}},
		{"cut", true, func(t *testing.T, hidden, _ string) { put(t, hidden, "a\n") }, []string{"2 bytes, want 4"}},
		{"cut, not ended", false, func(t *testing.T, hidden, _ string) { put(t, hidden, "a\n") }, []string{"at least 4", "cut after it was synced"}},
		{"changed", true, func(t *testing.T, hidden, _ string) { put(t, hidden, "a\nc\n") }, []string{"damaged"}},
		{"changed, not ended", false, func(t *testing.T, hidden, _ string) { put(t, hidden, "a\nc\nd\n") }, []string{"damaged"}},
		{"longer", true, func(t *testing.T, hidden, _ string) { put(t, hidden, "a\nb\nc\n") }, []string{"6 bytes, want 4"}},
		{"another file has the name", true, func(t *testing.T, _, final string) { put(t, final, "mine") }, []string{"not the output of this job", "move it away"}},
		{"another file has the name, not ended", false, func(t *testing.T, _, final string) { put(t, final, "a\nb\nc\n") }, []string{"6 bytes, want 4"}},
		{"a link has the name", true, func(t *testing.T, hidden, final string) { symlink(t, filepath.Base(hidden), final) }, []string{"not a regular file"}},
		{"a link leads out", false, func(t *testing.T, hidden, _ string) {
			outside := filepath.Join(t.TempDir(), "outside")
			put(t, outside, "a\nb\n")
			remove(t, hidden)
			symlink(t, outside, hidden)
		}, []string{"not a regular file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			sink := filesink.Text(filesink.Config{Dir: dir})
			w := open(t, sink, 1)
			write(t, w, "a", "b")
			token := prepare(t, w, c.ends)
			hidden := one(t, dir, ".inprogress-*")
			c.spoil(t, hidden, filepath.Join(dir, "part-"+strings.TrimPrefix(filepath.Base(hidden), ".inprogress-")+".txt"))
			before, _ := files(t, dir)
			mustSay(t, recovered(t, sink, 2, token), append(c.says, "file sink: directory")...)
			if after, _ := files(t, dir); !slices.Equal(before, after) {
				t.Errorf("published %q", after)
			}
		})
	}
}

// Commit of a file whose name another has is an error too, and the other stays.
func TestCommitNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	w := open(t, filesink.Text(filesink.Config{Dir: dir}), 1)
	write(t, w, "a")
	token := prepare(t, w, true)
	hidden := one(t, dir, ".inprogress-*")
	put(t, filepath.Join(dir, "part-"+strings.TrimPrefix(filepath.Base(hidden), ".inprogress-")+".txt"), "mine")
	mustSay(t, w.Commit(t.Context(), [][]byte{token}), "not the output of this job")
	if _, texts := files(t, dir); !slices.Equal(texts, []string{"mine"}) {
		t.Errorf("files hold %q", texts)
	}
	if _, err := os.Stat(hidden); err != nil {
		t.Errorf("its own file is lost: %v", err)
	}
}

func TestReadersRemove(t *testing.T) {
	dir := t.TempDir()
	sink := filesink.Text(filesink.Config{Dir: dir, ReadersRemove: true})
	w := open(t, sink, 1)
	write(t, w, "a")
	token := prepare(t, w, true)
	if err := w.Commit(t.Context(), [][]byte{token}); err != nil {
		t.Fatal(err)
	}
	remove(t, one(t, dir, "part-*"))
	if err := recovered(t, sink, 2, token); err != nil {
		t.Error(err)
	}
	if names, _ := files(t, dir); len(names) > 0 {
		t.Errorf("published again: %q", names)
	}
	mustSay(t, recovered(t, filesink.Text(filesink.Config{Dir: dir}), 3, token), "is gone")
}

func TestWriteRefuses(t *testing.T) {
	for _, c := range []struct {
		b    *flow.Batch[string]
		says string
	}{
		{batch("a\nb"), "line end"},
		{batch("a\r"), "line end"},
		{&flow.Batch[string]{Records: batch("a").Records, Kinds: []flow.Kind{flow.Delete}}, `kind "delete"`},
	} {
		dir := t.TempDir()
		w := open(t, filesink.Text(filesink.Config{Dir: dir}), 1)
		write(t, w, "before")
		mustSay(t, w.Write(t.Context(), c.b), c.says, dir)
		_, err := w.Prepare(t.Context(), 1)
		mustSay(t, err, c.says) // what has failed is not safe
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	if err := check(t, filesink.Text(filesink.Config{Dir: filepath.Join(dir, "is", "made")})); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "is", "made")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	put(t, filepath.Join(dir, "file"), "")
	for _, c := range []struct {
		cfg  filesink.Config
		says string
	}{
		{filesink.Config{}, "no directory: set Config.Dir"},
		{filesink.Config{Dir: filepath.Join(dir, "file")}, "not a directory"},
		{filesink.Config{Dir: filepath.Join(dir, "file", "below")}, "not a directory"},
		{filesink.Config{Dir: dir, Prefix: "../x"}, "separator"},
		{filesink.Config{Dir: dir, Prefix: ".x"}, "pass over"},
		{filesink.Config{Dir: dir, Prefix: "_x"}, "pass over"},
		{filesink.Config{Dir: dir, Suffix: ".tmp"}, "pass over"},
		{filesink.Config{Dir: dir, Suffix: strings.Repeat("x", 250)}, "at most 255"},
		{filesink.Config{Dir: dir, RollBytes: -1}, "negative"},
	} {
		mustSay(t, check(t, filesink.Text(c.cfg)), "file sink", c.says)
	}
	if os.Geteuid() != 0 { // who may do anything
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		mustSay(t, check(t, filesink.Text(filesink.Config{Dir: dir})), "permission denied")
		if err := os.Chmod(dir, 0o700); err != nil { // or it cannot be removed
			t.Fatal(err)
		}
	}
}

func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}
