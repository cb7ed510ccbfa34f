package filesource

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// position is where the directory is resumed: the files read and the place in the one being read. As the end of a batch
// it also names the batch's files.
type position struct {
	newestNS int64  // modification time of the newest file read; math.MinInt64 before the first
	read     []mark // of files read, by hash
	file     entry  // being read; no name = none
	offset   int64  // in it
	plan     []entry
}

// mark remembers a file that was read: its name and, to notice a change, its size and modification time.
type mark struct {
	name  uint64
	state uint32
}

// entry is a file in the directory and what to do with it.
type entry struct {
	kind  kind
	name  string
	size  int64
	modNS int64
}

type kind int64

const (
	fresh   kind = iota // to be read
	changed             // after it was read
	late                // older than Config.MaxAge when it appeared
)

// hash is the name's, long enough that a million names do not meet: two that do would be one file.
func (e entry) hash() uint64 {
	sum := sha256.Sum256([]byte(e.name))
	return binary.BigEndian.Uint64(sum[:])
}

func (e entry) state() uint32 {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(e.size))
	binary.BigEndian.PutUint64(b[8:], uint64(e.modNS))
	return crc32.ChecksumIEEE(b[:])
}

// horizonNS is the modification time before which files count as read.
func (p *position) horizonNS(maxAge time.Duration) int64 {
	if p.newestNS < math.MinInt64+int64(maxAge) {
		return math.MinInt64
	}
	return p.newestNS - int64(maxAge)
}

func (p *position) find(hash uint64) (int, bool) {
	return slices.BinarySearchFunc(p.read, hash, func(m mark, h uint64) int { return cmp.Compare(m.name, h) })
}

// done says whether e was read, or was reported, in the state it is in.
func (p *position) done(e entry) bool {
	i, ok := p.find(e.hash())
	return ok && p.read[i].state == e.state()
}

// finish notes that e is done.
func (p *position) finish(e entry) {
	m := mark{e.hash(), e.state()}
	i, ok := p.find(m.name)
	if ok {
		p.read[i] = m
	} else {
		p.read = slices.Insert(p.read, i, m)
	}
	if e.kind == fresh {
		p.newestNS = max(p.newestNS, e.modNS)
	}
}

const formatVersion = 1

// appendRead appends the part of the position that stays while a file is read.
func (p *position) appendRead(dst flow.Position) flow.Position {
	dst = append(dst, formatVersion)
	dst = binary.AppendVarint(dst, p.newestNS)
	dst = binary.AppendVarint(dst, int64(len(p.read)))
	for _, m := range p.read {
		dst = binary.BigEndian.AppendUint64(dst, m.name)
		dst = binary.BigEndian.AppendUint32(dst, m.state)
	}
	return dst
}

// appendRest appends what follows appendRead.
func (p *position) appendRest(dst flow.Position) flow.Position {
	dst = p.file.append(dst)
	dst = binary.AppendVarint(dst, p.offset)
	dst = binary.AppendVarint(dst, int64(len(p.plan)))
	for _, e := range p.plan {
		dst = e.append(dst)
	}
	return dst
}

func (p *position) append(dst flow.Position) flow.Position { return p.appendRest(p.appendRead(dst)) }

func (e entry) append(dst flow.Position) flow.Position {
	dst = binary.AppendVarint(dst, int64(e.kind))
	dst = binary.AppendVarint(dst, int64(len(e.name)))
	dst = append(dst, e.name...)
	dst = binary.AppendVarint(dst, e.size)
	return binary.AppendVarint(dst, e.modNS)
}

// positionAt decodes a position; an empty one is the beginning.
func positionAt(b flow.Position) (*position, error) {
	p := &position{newestNS: math.MinInt64}
	if len(b) == 0 {
		return p, nil
	}
	d := decoder{rest: b[1:], bad: b[0] != formatVersion}
	p.newestNS = d.int()
	for range d.count(12) {
		p.read = append(p.read, mark{binary.BigEndian.Uint64(d.rest), binary.BigEndian.Uint32(d.rest[8:])})
		d.rest = d.rest[12:]
	}
	p.file, p.offset = d.entry(), d.int()
	for range d.count(4) {
		p.plan = append(p.plan, d.entry())
	}
	sorted := slices.IsSortedFunc(p.read, func(a, b mark) int { return cmp.Compare(a.name, b.name) })
	if d.bad || len(d.rest) > 0 || p.offset < 0 || !sorted {
		return nil, fmt.Errorf("position %x is damaged, or of another kind of source", []byte(b[:min(len(b), 64)]))
	}
	return p, nil
}

// decoder reads the fields of a position.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 || d.bad {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads a number of things of at least size bytes each.
func (d *decoder) count(size int64) int64 {
	n := d.int()
	if n < 0 || n > int64(len(d.rest))/size {
		d.bad = true
		return 0
	}
	return n
}

func (d *decoder) entry() (e entry) {
	e.kind = kind(d.int())
	n := d.count(1)
	if d.bad {
		return entry{}
	}
	e.name, d.rest = string(d.rest[:n]), d.rest[n:]
	e.size, e.modNS = d.int(), d.int()
	d.bad = d.bad || e.kind < fresh || e.kind > late || e.size < 0
	return e
}
