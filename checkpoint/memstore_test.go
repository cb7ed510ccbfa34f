package checkpoint_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/millrace-io/millrace/checkpoint"
)

// memStore is a store in memory. before and after, when set, are asked around each operation that changes something: an
// error of before takes the operation's place, one of after hides that it was done.
type memStore struct {
	mu            sync.Mutex
	objects       map[string][]byte
	syncedHead    []byte // content of "head" when the last Create returned: Replace promises no more
	before, after func(op, name string) error
	beforeSlot    func() // called before a slot is created
}

func newMemStore() *memStore { return &memStore{objects: map[string][]byte{}} }

// clone is the store as a crash at this moment leaves it.
func (s *memStore) clone() *memStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newMemStore()
	for name, data := range s.objects {
		c.objects[name] = slices.Clone(data)
	}
	return c
}

// sharing is a copy whose objects are the same bytes.
func (s *memStore) sharing() *memStore {
	c := newMemStore()
	maps.Copy(c.objects, s.objects)
	return c
}

// powerCut is the store as a power cut at this moment may leave it.
func (s *memStore) powerCut() *memStore {
	c := s.clone()
	if delete(c.objects, "head"); s.syncedHead != nil {
		c.objects["head"] = slices.Clone(s.syncedHead)
	}
	return c
}

func (s *memStore) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

func (s *memStore) change(op, name string, f func() error) error {
	if s.before != nil {
		if err := s.before(op, name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	err := f()
	s.mu.Unlock()
	if err == nil && s.after != nil {
		err = s.after(op, name)
	}
	return err
}

func (s *memStore) Create(ctx context.Context, name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	if s.beforeSlot != nil && strings.HasPrefix(name, "slot-") {
		s.beforeSlot()
	}
	return s.change("create", name, func() error {
		if _, ok := s.objects[name]; ok {
			return checkpoint.ErrExists
		}
		s.objects[name] = b.Bytes()
		s.syncedHead = s.objects["head"]
		return ctx.Err()
	})
}

func (s *memStore) Replace(ctx context.Context, name string, old, data []byte) error {
	return s.change("replace", name, func() error {
		now, ok := s.objects[name]
		if ok != (old != nil) || !bytes.Equal(now, old) {
			return checkpoint.ErrExists
		}
		s.objects[name] = slices.Clone(data)
		if old == nil {
			s.syncedHead = s.objects["head"]
		}
		return ctx.Err()
	})
}

func (s *memStore) Delete(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := s.change("delete", name, func() error { delete(s.objects, name); return ctx.Err() }); err != nil {
			return err
		}
	}
	return nil
}

func (s *memStore) List(ctx context.Context) ([]string, error) { return s.names(), ctx.Err() }

func (s *memStore) Open(ctx context.Context, name string) (checkpoint.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.objects[name]
	if !ok {
		return nil, checkpoint.ErrNotFound
	}
	return memObject{bytes.NewReader(data)}, ctx.Err()
}

type memObject struct{ *bytes.Reader }

func (memObject) Close() error { return nil }

var errInjected = errors.New("injected")
