package badgerstate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/state"
)

const damageKeys = 12_000 // of a kilobyte: more than one memtable

// flushed is a store whose entries are in a table, and the table's file.
func flushed(t *testing.T) (*DB, state.ByteStore, string) {
	t.Helper()
	d := openDB(t, Config{CacheBytes: 1})
	s := openStore(t, d, "a/0", "count", "n")
	value := strings.Repeat("x", 1000)
	for i := range damageKeys {
		put(t, s, fmt.Sprintf("%06d", i), value)
	}
	if got := get(t, s, "000000"); got != value {
		t.Fatal("the first key is lost")
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); { // the flush of the first memtable takes a while
		if tables := d.badger.Tables(); len(tables) > 0 {
			return d, s, filepath.Join(d.dir.path, filesName, fmt.Sprintf("%06d.sst", tables[0].ID))
		}
		put(t, s, "turn", "")
		get(t, s, "turn")
	}
	t.Fatal("no table was flushed")
	return nil, nil, ""
}

func flip(t *testing.T, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// Badger alone answers "not found" here.
func TestDamagedBlockIsAnError(t *testing.T) {
	_, s, file := flushed(t)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, bytes.Repeat([]byte("x"), 900))
	flip(t, file, int64(at)+450)
	first := errors.New("no key has shown the damage")
	for i := range damageKeys {
		v, ok, err := s.Get(1, fmt.Appendf(nil, "%06d", i), nil)
		if err != nil {
			first = err
			break
		}
		if !ok || len(v) != 1000 {
			t.Fatalf("key %d: %d bytes, %v, and no error", i, len(v), ok)
		}
	}
	if !errors.Is(first, errDamaged) || !strings.Contains(first.Error(), `operator "count"`) {
		t.Errorf("got %v", first)
	}
	if err := s.Scan(1, nil, func([]byte, []byte) bool { return true }); !errors.Is(err, errDamaged) {
		t.Errorf("a later scan got %v", err)
	}
	if err := s.Write(nil); !errors.Is(err, errDamaged) {
		t.Errorf("a later write got %v", err)
	}
}

func TestDamagedBlockFailsScan(t *testing.T) {
	_, s, file := flushed(t)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flip(t, file, int64(bytes.Index(data, bytes.Repeat([]byte("x"), 900)))+450)
	if err := s.Scan(1, nil, func([]byte, []byte) bool { return true }); !errors.Is(err, errDamaged) {
		t.Errorf("got %v", err)
	}
}

// What Badger only logs fails the store, and lets go a task that waits for a commit that will never come.
func TestFailureInTheBackground(t *testing.T) {
	d := openDB(t, Config{})
	s := openStore(t, d, "a/0", "count", "n").(*store)
	put(t, s, "k", "v")
	get(t, s, "k")
	d.faults.Infof("all is well")
	d.faults.Warningf("Block cache might be too small")
	if err := s.Write(nil); err != nil {
		t.Fatalf("harmless words have failed the store: %v", err)
	}
	s.writes.inFlight++ // a commit that hangs
	d.faults.Errorf("error flushing memtable to disk: %v, retrying", os.ErrPermission)
	d.faults.Errorf("another")
	const want = `working store: task "a/0", operator "count", state "n": badger: error flushing memtable to disk: permission denied, retrying`
	if _, _, err := s.Get(1, []byte("k"), nil); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err := d.Task("a/1").Open("count", "n"); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a store opened afterwards: %v", err)
	}
}

func TestFailedCompactionIsAFault(t *testing.T) {
	f := newFaults()
	f.Warningf("[Compactor: %d] LOG Compact FAILED with error: %+v: %+v", 1, os.ErrPermission, "def")
	if err := f.err(); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
}

func TestPanicInBadgerIsAnError(t *testing.T) {
	s := openStore(t, openDB(t, Config{}), "a/0", "count", "n").(*store)
	s.take = func([]byte) error { panic("slice bounds out of range") }
	put(t, s, "k", "v")
	if _, _, err := s.Get(1, []byte("k"), nil); err == nil || !strings.HasSuffix(err.Error(), "panic in badger: slice bounds out of range") {
		t.Errorf("got %v", err)
	}
	if err := s.Scan(1, nil, func([]byte, []byte) bool { return true }); err == nil {
		t.Error("scan gave no error")
	}
}
