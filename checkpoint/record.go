package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// recordBytesMax bounds a slot's record, so that a hostile file cannot make Open allocate without end.
const recordBytesMax = 256 << 20

// digest is a SHA-256: of a record, or of a run as runWriter says.
type digest [sha256.Size]byte

func (f *fields) digest() (d digest) {
	copy(d[:], f.fixed(sha256.Size))
	return d
}

type recordKind uint64

const (
	attemptRecord recordKind = 1 // attempt starts from epoch
	epochRecord   recordKind = 2 // epoch of attempt is complete
)

// record is the content of a slot.
type record struct {
	kind      recordKind
	lineage   string
	job       string
	writer    string // random, one per open log: tells a run's own slot from another run's with the same content
	slot      uint64
	prev      digest // of the record in slot-1; zero in slot 1
	attempt   flow.Attempt
	epoch     flow.Epoch
	keyGroups int

	// of an epoch record alone
	plan Plan
	runs []run // oldest first
	meta []byte
	// inline is the newest of runs when that is in this slot. It is nil in a record that is not being written or read right now.
	inline []byte
}

// run is an immutable sequence of entries, as a record names it: a file, or the inline run of a slot, which stays as long as a record that
// is kept names its run.
type run struct {
	name        string // of the object it is in
	slot        uint64 // that it is inline in; 0: it is a file
	size        int64
	hash        digest
	first, last flow.Epoch // whose changes it holds
}

// folded says whether the run was made of several.
func (r run) folded() bool { return r.first != r.last }

// keep lets go of the inline run, which is read from its slot when it is needed, and of the bytes the record was decoded from.
func (r *record) keep() { r.inline, r.meta = nil, slices.Clone(r.meta) }

func slotName(slot uint64) string { return fmt.Sprintf("slot-%012d", slot) }

func (r *record) encode() []byte { return seal(recordMagic, r.payload()) }

func (r *record) payload() []byte {
	b := binary.AppendUvarint(nil, uint64(r.kind))
	b = appendString(b, r.lineage)
	b = appendString(b, r.job)
	b = appendString(b, r.writer)
	b = binary.AppendUvarint(b, r.slot)
	b = append(b, r.prev[:]...)
	b = binary.AppendUvarint(b, uint64(r.attempt))
	b = binary.AppendUvarint(b, uint64(r.epoch))
	b = binary.AppendUvarint(b, uint64(r.keyGroups))
	if r.kind == epochRecord {
		b = appendPlan(b, r.plan)
		b = appendRuns(b, r.runs)
		b = appendString(b, r.meta)
		b = appendString(b, r.inline)
	}
	return b
}

func appendRuns(b []byte, runs []run) []byte {
	b = binary.AppendUvarint(b, uint64(len(runs)))
	for _, r := range runs {
		if r.slot > 0 { // an empty name and the slot: the name would be most of what an inline run costs each later record
			b = appendString(b, "")
			b = binary.AppendUvarint(b, r.slot)
		} else {
			b = appendString(b, r.name)
		}
		b = binary.AppendUvarint(b, uint64(r.size))
		b = append(b, r.hash[:]...)
		b = binary.AppendUvarint(b, uint64(r.first))
		b = binary.AppendUvarint(b, uint64(r.last))
	}
	return b
}

func appendPlan(b []byte, p Plan) []byte {
	b = appendString(b, p.Hash)
	b = binary.AppendUvarint(b, uint64(len(p.Operators)))
	for _, id := range p.Operators {
		b = appendString(b, id)
	}
	return appendSchemas(b, p.Schemas)
}

func appendSchemas(b []byte, schemas []delta.Schema) []byte {
	b = binary.AppendUvarint(b, uint64(len(schemas)))
	for _, s := range schemas {
		for _, v := range []string{s.Operator, s.State, s.Key, s.Value} {
			b = appendString(b, v)
		}
	}
	return b
}

func decodeRecord(data []byte) (*record, error) { return decodeRecordAs(recordMagic, data) }

func decodeRecordAs(magic string, data []byte) (*record, error) {
	payload, err := unseal(magic, data)
	if err != nil {
		return nil, err
	}
	f := &fields{rest: payload}
	r := &record{
		kind: recordKind(f.uvarint()), lineage: f.string(), job: f.string(), writer: f.string(), slot: f.uvarint(),
		prev: f.digest(), attempt: flow.Attempt(f.uvarint()), epoch: flow.Epoch(f.int63()), keyGroups: int(f.int63()),
	}
	switch r.kind {
	case attemptRecord:
	case epochRecord:
		r.plan, r.runs, r.meta = f.plan(), f.runs(), f.bytes()
		if version(data) > 2 {
			r.inline = f.bytes()
		}
		r.checkInline(f)
	default:
		f.fail(fmt.Sprintf("record of kind %d", r.kind))
	}
	if f.err == nil && !validKeyGroups(r.keyGroups) {
		f.fail(fmt.Sprintf("%d key groups", r.keyGroups))
	}
	return r, f.end()
}

// checkInline refuses a record whose inline run is not the one that it names.
func (r *record) checkInline(f *fields) {
	n := len(r.runs)
	switch {
	case f.err != nil:
	case len(r.inline) > 0 && (n == 0 || r.runs[n-1].slot != r.slot || r.runs[n-1].size != int64(len(r.inline))):
		f.fail(fmt.Sprintf("%d bytes of a run that is not named", len(r.inline)))
	case slices.ContainsFunc(r.runs, func(o run) bool { return o.slot > r.slot }):
		f.fail(fmt.Sprintf("run in a slot behind slot %d", r.slot))
	}
}

func (f *fields) runs() (runs []run) {
	for n := f.count(); n > 0 && f.err == nil; n-- {
		r := run{name: f.string()}
		if r.name == "" {
			r.slot = f.uvarint()
			r.name = slotName(r.slot)
		}
		r.size, r.hash, r.first, r.last = f.int63(), f.digest(), flow.Epoch(f.int63()), flow.Epoch(f.int63())
		if f.err == nil && r.slot == 0 && !isRunName(r.name) {
			f.fail(fmt.Sprintf("run named %q", r.name))
		}
		runs = append(runs, r)
	}
	return runs
}

func (f *fields) plan() Plan {
	p := Plan{Hash: f.string()}
	for n := f.count(); n > 0 && f.err == nil; n-- {
		p.Operators = append(p.Operators, f.string())
	}
	p.Schemas = f.schemas()
	return p
}

func (f *fields) schemas() (schemas []delta.Schema) {
	for n := f.count(); n > 0 && f.err == nil; n-- {
		schemas = append(schemas, delta.Schema{Operator: f.string(), State: f.string(), Key: f.string(), Value: f.string()})
	}
	return schemas
}

func validKeyGroups(n int) bool { return n > 0 && n <= flow.MaxKeyGroups && n&(n-1) == 0 }
