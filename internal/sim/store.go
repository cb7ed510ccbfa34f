package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/checkpoint"
)

var (
	errInjected = errors.New("injected by the simulation")
	errKilled   = errors.New("the process has been killed")
)

// disk is what processes leave behind. It keeps what checkpoint.Store promises, and not more.
type disk struct {
	objects    map[string][]byte
	syncedHead []byte            // the head as a power cut may leave it
	deleted    map[string][]byte // since something was synced: a power cut may bring it back
	version    int
}

func newDisk() *disk { return &disk{objects: map[string][]byte{}, deleted: map[string][]byte{}} }

const headName = "head"

func (d *disk) synced() {
	d.syncedHead = d.objects[headName]
	clear(d.deleted)
}

// powerCut undoes what was not synced, as far as the coin says.
func (d *disk) powerCut(coin func() bool) {
	d.version++
	if d.syncedHead != nil && coin() {
		d.objects[headName] = d.syncedHead
	}
	for _, name := range slices.Sorted(maps.Keys(d.deleted)) {
		if coin() {
			d.objects[name] = d.deleted[name]
		}
	}
	clear(d.deleted)
}

// store is the disk as a process sees it.
type store struct{ p *process }

// op does one operation: perhaps slowly, perhaps not, perhaps without an answer.
func (s store) op(what string, changes bool, do func() error) error {
	w := s.p.w
	if s.p.peeks {
		return do()
	}
	if !s.p.wait(storeSlow) {
		return errKilled
	}
	if w.strikes(storeFails) {
		return fmt.Errorf("%s: %w", what, errInjected)
	}
	err := do()
	if changes && err == nil {
		w.disk.version++
		if w.strikes(storeLost) {
			if w.s.rate[crash] > 0 && w.rng.IntN(3) == 0 { // what is not known for sure is worth a crash before it is
				w.doomed = w.steps + w.rng.IntN(200)
			}
			return fmt.Errorf("%s, which was done: %w", what, errInjected)
		}
	}
	if !s.p.wait(storeSlow) {
		return errKilled
	}
	return err
}

// Create implements checkpoint.Store.
func (s store) Create(_ context.Context, name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	d := s.p.w.disk
	return s.op("create "+name, true, func() error {
		if _, ok := d.objects[name]; ok {
			return checkpoint.ErrExists
		}
		d.objects[name] = b.Bytes()
		if strings.HasPrefix(name, "slot-") {
			s.p.w.note("slot", len(d.objects))
		}
		d.synced()
		return nil
	})
}

// Replace implements checkpoint.Store.
func (s store) Replace(_ context.Context, name string, old, data []byte) error {
	d := s.p.w.disk
	return s.op("replace "+name, true, func() error {
		now, ok := d.objects[name]
		if ok != (old != nil) || !bytes.Equal(now, old) {
			return checkpoint.ErrExists
		}
		d.objects[name] = slices.Clone(data)
		if old == nil {
			d.synced()
		}
		return nil
	})
}

// Delete implements checkpoint.Store.
func (s store) Delete(_ context.Context, names ...string) error {
	d := s.p.w.disk
	for _, name := range names {
		err := s.op("delete "+name, true, func() error {
			if data, ok := d.objects[name]; ok {
				d.deleted[name] = data
				delete(d.objects, name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// List implements checkpoint.Store.
func (s store) List(context.Context) (names []string, err error) {
	err = s.op("list", false, func() error {
		names = slices.Sorted(maps.Keys(s.p.w.disk.objects))
		return nil
	})
	return names, err
}

// Open implements checkpoint.Store.
func (s store) Open(_ context.Context, name string) (o checkpoint.Object, err error) {
	err = s.op("open "+name, false, func() error {
		data, ok := s.p.w.disk.objects[name]
		if !ok {
			return checkpoint.ErrNotFound
		}
		o = object{bytes.NewReader(data)}
		return nil
	})
	return o, err
}

type object struct{ *bytes.Reader }

// Close implements io.Closer.
func (object) Close() error { return nil }
