package filesource

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// directory is what a source knows of its directory.
type directory struct {
	cfg Config

	mu     sync.Mutex
	listed bool
	old    map[string]struct{} // names beyond the horizon at the last listing: these count as read
}

// list finds what there is to do behind p, oldest first, and takes out of p the files that need not be remembered.
func (d *directory) list(p *position) ([]entry, error) {
	there, err := d.files()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	horizon := p.horizonNS(d.cfg.MaxAge)
	var todo []entry
	read := make([]mark, 0, len(p.read)+1)
	old := map[string]struct{}{}
	for _, e := range there {
		if e.name == p.file.name {
			continue
		}
		i, known := p.find(e.hash())
		_, wasOld := d.old[e.name]
		beyond := e.modNS < horizon
		switch {
		case known && p.read[i].state != e.state():
			e.kind = changed
			todo = append(todo, e)
			read = append(read, p.read[i])
		case known && !beyond:
			read = append(read, p.read[i])
		case beyond && !known && d.listed && !wasOld:
			e.kind = late
			todo = append(todo, e)
		case !beyond:
			todo = append(todo, e)
		}
		if beyond {
			old[e.name] = struct{}{}
		}
	}
	slices.SortFunc(read, func(a, b mark) int { return cmp.Compare(a.name, b.name) })
	slices.SortFunc(todo, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.modNS, b.modNS), cmp.Compare(a.name, b.name))
	})
	p.read, d.old, d.listed = read, old, true
	return todo, nil
}

// files are the files in the directory that are to be read some time.
func (d *directory) files() ([]entry, error) {
	found, err := os.ReadDir(d.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var there []entry
	for _, f := range found {
		if !d.cfg.wants(f.Name()) || f.IsDir() {
			continue
		}
		info, err := f.Info()
		if err == nil && f.Type()&fs.ModeSymlink != 0 {
			info, err = os.Stat(filepath.Join(d.cfg.Dir, f.Name()))
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed while it was listed, or a link to nothing
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			there = append(there, entry{name: f.Name(), size: info.Size(), modNS: info.ModTime().UnixNano()})
		}
	}
	return there, nil
}
