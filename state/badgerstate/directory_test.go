package badgerstate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A process that was killed leaves its files; the next one begins empty.
func TestOpenWipes(t *testing.T) {
	crashed, dir := t.TempDir(), filepath.Join(t.TempDir(), "not", "there", "yet")
	d := openDB(t, Config{Dir: crashed})
	s := openStore(t, d, "a/0", "count", "n")
	put(t, s, "k", "v")
	if got := get(t, s, "k"); got != "v" {
		t.Fatal(got)
	}
	if err := os.CopyFS(dir, os.DirFS(crashed)); err != nil {
		t.Fatal(err)
	}
	next := openDB(t, Config{Dir: dir})
	if got := get(t, openStore(t, next, "a/0", "count", "n"), "k"); got != "-" {
		t.Errorf("value %q has survived", got)
	}
	if next.badger.MaxVersion() != 0 {
		t.Errorf("commits up to version %d have survived", next.badger.MaxVersion())
	}
}

func TestCloseRemoves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for range 2 { // and the directory can be used again
		d, err := open(Config{Dir: dir}, plenty)
		if err != nil {
			t.Fatal(err)
		}
		put(t, openStore(t, d, "a/0", "count", "n"), "k", "v")
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory is still there, %v", err)
		}
	}
}

func TestOneStorePerDirectory(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, openDB(t, Config{Dir: dir}), "a/0", "count", "n")
	put(t, s, "k", "v")
	if _, err := open(Config{Dir: dir}, plenty); !errors.Is(err, errInUse) {
		t.Errorf("a second store got %v", err)
	}
	if got := get(t, s, "k"); got != "v" {
		t.Errorf("value %q after the second try", got)
	}
}

// The mark that one store removes while another waits for its lock protects nobody any more.
func TestLockOfRemovedMark(t *testing.T) {
	dir := t.TempDir()
	mark, err := os.Create(filepath.Join(dir, markName))
	if err != nil {
		t.Fatal(err)
	}
	defer mark.Close()
	d := &directory{dir, mark}
	if err := d.lock(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(mark.Name()); err != nil {
		t.Fatal(err)
	}
	if err := d.lock(); !errors.Is(err, errInUse) {
		t.Errorf("mark removed: %v", err)
	}
	if err := os.WriteFile(mark.Name(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.lock(); !errors.Is(err, errInUse) {
		t.Errorf("mark replaced: %v", err)
	}
}

func TestForeignDirectoryIsNotWiped(t *testing.T) {
	for _, foreign := range []string{"letters.txt", filesName} {
		dir := t.TempDir()
		file := filepath.Join(dir, foreign)
		if err := os.WriteFile(file, []byte("dear"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := open(Config{Dir: dir}, plenty)
		if err == nil || !strings.Contains(err.Error(), foreign) {
			t.Errorf("%s: got %v", foreign, err)
		}
		if got, err := os.ReadFile(file); string(got) != "dear" || err != nil {
			t.Errorf("%s: the file is %q, %v", foreign, got, err)
		}
		if entries, err := os.ReadDir(dir); len(entries) != 1 || err != nil {
			t.Errorf("%s: directory has %v, %v", foreign, entries, err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	for _, c := range []Config{{}, {Dir: "x", CacheBytes: -1}, {Dir: "x", FreeBytesMin: -1}} {
		if _, err := Open(c); err == nil || !strings.HasPrefix(err.Error(), "working store: want a directory") {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
