package filesink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/sinks"
)

// Recover implements sinks.Transactional.
func (s *sink[T]) Recover(_ context.Context, at sinks.Instance, prepared []sinks.Prepared) (err error) {
	d, err := s.open(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("file sink: directory %q: %w", s.cfg.Dir, err)
	}
	defer func() { err = errors.Join(err, d.close()) }()
	r := recovery{shelf: shelf{s.cfg, d}, copies: draft{owner: ownerOf(at), attempt: at.Attempt}}
	if err := r.run(prepared); err != nil {
		return fmt.Errorf("file sink: directory %q: %w", s.cfg.Dir, err)
	}
	return nil
}

// recovery publishes what older attempts have prepared.
type recovery struct {
	shelf
	copies draft // of the newest copy
}

func (r *recovery) run(prepared []sinks.Prepared) error {
	if err := r.overtaken(); err != nil {
		return err
	}
	files, err := newest(prepared)
	if err != nil {
		return err
	}
	var whole []entry
	for _, f := range files {
		done, err := r.settle(&f.entry)
		if err != nil {
			return fmt.Errorf("epoch %d, task %d: %w", f.by.Epoch, f.by.Task, err)
		}
		if !done {
			whole = append(whole, f.entry)
		}
	}
	fault.Point("files/recover-settled")
	if err := r.publish(whole); err != nil {
		return err
	}
	fault.Point("files/recover-published")
	return r.clear()
}

// overtaken is an error when a newer attempt has files.
func (r *recovery) overtaken() error {
	names, err := r.disk.names(r.copies.owner.prefix())
	if err != nil {
		return err
	}
	for _, name := range names {
		if a, ok := r.copies.owner.attemptOf(name); ok && a > r.copies.attempt {
			return fmt.Errorf("%q is of attempt %d, this is attempt %d: %w; if the state directory is an older copy, start anew in an empty one",
				name, a, r.copies.attempt, sinks.ErrFenced)
		}
	}
	return nil
}

// named is a file and the token that says most about it.
type named struct {
	entry
	by sinks.Prepared
}

// newest lists each file that tokens name once, as the newest of them has it.
func newest(prepared []sinks.Prepared) ([]named, error) {
	var files []named
	place := map[string]int{}
	for _, p := range prepared {
		entries, err := parseToken(p.Token)
		if err != nil {
			return nil, fmt.Errorf("epoch %d, task %d: %w", p.Epoch, p.Task, err)
		}
		for _, e := range entries {
			i, ok := place[e.hidden]
			switch {
			case !ok:
				place[e.hidden] = len(files)
				files = append(files, named{e, p})
			case !files[i].closed && (e.closed || e.size >= files[i].size):
				files[i] = named{e, p}
			}
		}
	}
	return files, nil
}

// settle sees to it that f can be published by a link to its hidden name, unless it is done already.
//
// A file that its writer had closed is final once it is as it was. One that was open may still be written to: an attempt that was overtaken
// but does not know it yet holds it. So what the token covers is copied, and the copy is published.
func (r *recovery) settle(f *entry) (done bool, err error) {
	in, size, err := r.disk.open(f.hidden)
	if errors.Is(err, fs.ErrNotExist) {
		return true, r.absent(*f)
	}
	if err != nil {
		return false, err
	}
	defer in.Close()
	if f.closed {
		return false, f.same(f.hidden, in, size)
	}
	return false, r.copy(f, in)
}

// copy makes a closed file of what f covers of an open one.
func (r *recovery) copy(f *entry, in io.Reader) error {
	r.copies.number++
	name := r.copies.hidden() + "-copy"
	out, err := r.disk.create(name)
	if err != nil {
		return err
	}
	err = f.copied(f.hidden, in, out)
	if err == nil {
		err = out.Sync()
		fault.Point("files/recover-copied")
	}
	if err = errors.Join(err, out.Close()); err == nil {
		f.hidden, f.closed = name, true
	}
	return err
}

// clear removes what older attempts have left. What is worth anything has its final name.
func (r *recovery) clear() error {
	names, err := r.disk.names(r.copies.owner.prefix())
	if err != nil {
		return err
	}
	for _, name := range names {
		if a, ok := r.copies.owner.attemptOf(name); !ok || a >= r.copies.attempt {
			continue
		}
		if err := r.disk.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
