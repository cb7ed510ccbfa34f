package filesink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// errCrash is what every call gives once the process is dead, or the one that the disk refuses.
var errCrash = errors.New("crash")

// inode is a file, of which the first synced bytes survive a power cut.
type inode struct {
	data   []byte
	synced int
}

// memory is a disk that knows what a crash leaves of it.
type memory struct {
	now, durable map[string]*inode // names, and those that survive a power cut

	calls   int
	crashAt int  // the call at which the process dies; 0 = never
	once    bool // it does not die: that one call is refused
	rng     *rand.Rand
	watch   func() // called after every change of names
}

func newMemory(rng *rand.Rand) *memory {
	return &memory{now: map[string]*inode{}, durable: map[string]*inode{}, rng: rng}
}

// step is called before each system call.
func (m *memory) step(op, name string) error {
	m.calls++
	if m.crashAt > 0 && (m.calls == m.crashAt || m.calls > m.crashAt && !m.once) {
		return fmt.Errorf("%s %q: %w", op, name, errCrash)
	}
	return nil
}

func (m *memory) changed(name string, to *inode) {
	if m.now[name] = to; to == nil {
		delete(m.now, name)
	}
	if m.watch != nil {
		m.watch()
	}
}

// powerCut makes the disk what it may be after one: of what was not synced each change is there or not.
func (m *memory) powerCut(keep func() bool) {
	left := maps.Clone(m.durable)
	for _, name := range slices.Sorted(maps.Keys(merged(m.now, m.durable))) {
		if !keep() {
			continue
		}
		if left[name] = m.now[name]; left[name] == nil {
			delete(left, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		f := left[name]
		if tail := len(f.data) - f.synced; tail > 0 {
			f.data = f.data[:f.synced]
			if keep() {
				f.data = append(f.data, make([]byte, m.rng.IntN(tail+1))...) // its length came to the disk, its bytes did not
			}
		}
		f.synced = len(f.data)
	}
	m.now, m.durable = left, maps.Clone(left)
}

func merged(a, b map[string]*inode) map[string]*inode {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func (m *memory) create(name string) (file, error) {
	if err := m.step("create", name); err != nil {
		return nil, err
	}
	if m.now[name] != nil {
		return nil, fmt.Errorf("create %q: %w", name, fs.ErrExist)
	}
	f := &inode{}
	m.changed(name, f)
	return &handle{m, f, name}, nil
}

func (m *memory) open(name string) (io.ReadCloser, int64, error) {
	if err := m.step("open", name); err != nil {
		return nil, 0, err
	}
	f := m.now[name]
	if f == nil {
		return nil, 0, fmt.Errorf("open %q: %w", name, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(f.data)), int64(len(f.data)), nil
}

func (m *memory) link(old, name string) error {
	if err := m.step("link", name); err != nil {
		return err
	}
	switch {
	case m.now[old] == nil:
		return fmt.Errorf("link %q: %w", old, fs.ErrNotExist)
	case m.now[name] != nil:
		return fmt.Errorf("link to %q: %w", name, fs.ErrExist)
	}
	m.changed(name, m.now[old])
	return nil
}

func (m *memory) remove(name string) error {
	if err := m.step("remove", name); err != nil {
		return err
	}
	if m.now[name] == nil {
		return fmt.Errorf("remove %q: %w", name, fs.ErrNotExist)
	}
	m.changed(name, nil)
	return nil
}

func (m *memory) names(prefix string) ([]string, error) {
	if err := m.step("list", prefix); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.now)) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (m *memory) sync() error {
	if err := m.step("syncdir", "."); err != nil {
		return err
	}
	m.durable = maps.Clone(m.now)
	return nil
}

func (m *memory) close() error { return nil }

// final are the files that readers see.
func (m *memory) final() map[string]string {
	seen := map[string]string{}
	for name, f := range m.now {
		if !strings.HasPrefix(name, ".") {
			seen[name] = string(f.data)
		}
	}
	return seen
}

// hidden are the names that readers do not see.
func (m *memory) hidden() (names []string) {
	for name := range m.now {
		if strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names
}

// handle is an open file: it can be written to under whatever name it has by then, or none.
type handle struct {
	disk *memory
	file *inode
	name string
}

// Write that dies leaves a part.
func (h *handle) Write(p []byte) (int, error) {
	if err := h.disk.step("write", h.name); err != nil {
		if h.disk.calls == h.disk.crashAt {
			h.file.data = append(h.file.data, p[:h.disk.rng.IntN(len(p)+1)]...)
		}
		return 0, err
	}
	h.file.data = append(h.file.data, p...)
	return len(p), nil
}

func (h *handle) Sync() error {
	if err := h.disk.step("sync", h.name); err != nil {
		return err
	}
	h.file.synced = len(h.file.data)
	return nil
}

func (h *handle) Close() error { return h.disk.step("close", h.name) }
