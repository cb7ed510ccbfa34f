package badgerstate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/state"
)

// disk is a file system whose free space the test says.
type disk struct {
	free int64
	err  error
	seen int
}

func (d *disk) measure(string) (int64, error) {
	d.seen++
	return d.free, d.err
}

const needBytes = 1<<30 + reserveMemTables*MemTableBytesMin

func TestOpenNeedsSpace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	_, err := open(Config{Dir: dir, CacheBytes: 1}, (&disk{free: needBytes - 1}).measure)
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "the working store needs at least 1152 MiB free") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that did not open has left its directory, %v", err)
	}
	if _, err := open(Config{Dir: dir}, (&disk{err: fs.ErrPermission}).measure); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestWriteNeedsSpace(t *testing.T) {
	disk := &disk{free: needBytes}
	d, err := open(Config{Dir: t.TempDir(), CacheBytes: 1}, disk.measure)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := openStore(t, d, "a/0", "count", "n")
	put(t, s, "first", "v") // too little to look at the disk again
	disk.free = needBytes + checkBytes
	large := []state.Write{{Group: 1, Key: []byte("large"), Value: make([]byte, checkBytes)}}
	if err := s.Write(large); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), `state "n"`) {
		t.Fatalf("got %v", err)
	}
	if got := get(t, s, "large"); got != "-" {
		t.Errorf("a refused write has left %d bytes", len(got))
	}
	if got := get(t, s, "first"); got != "v" {
		t.Errorf("a refused write has cost an earlier one: %q", got)
	}
	before := disk.seen
	if err := s.Write(large[:0]); !errors.Is(err, ErrNoSpace) || disk.seen == before {
		t.Errorf("the disk was not looked at again: %v", err)
	}
	disk.free = 1 << 40
	if err := s.Write(large); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if got := get(t, s, "large"); len(got) != checkBytes {
		t.Errorf("value of %d bytes", len(got))
	}
}

func TestFreeBytes(t *testing.T) {
	free, err := freeBytes(t.TempDir())
	if err != nil || free <= 0 || free >= 1<<60 {
		t.Errorf("free space %d, %v", free, err)
	}
	if _, err := freeBytes(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent directory: %v", err)
	}
}
