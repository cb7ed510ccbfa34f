package checkpoint

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/delta"
)

// oneObject is a store that holds one object under every name.
type oneObject struct {
	Store
	data []byte
}

func (s oneObject) Open(context.Context, string) (Object, error) {
	return bytesObject{bytes.NewReader(s.data)}, nil
}

type bytesObject struct{ *bytes.Reader }

func (bytesObject) Close() error { return nil }

func sampleRecord() *record {
	return &record{
		kind: epochRecord, lineage: "l", job: "j", writer: "w", slot: 7, prev: digest{1}, attempt: 2, epoch: 5, keyGroups: 8,
		plan: Plan{Hash: "h", Operators: []string{"count"}, Schemas: []delta.Schema{{Operator: "count", State: "n", Key: "k", Value: "v"}}},
		runs: []run{
			{name: "run-1", size: 99, hash: digest{2}, first: 1, last: 3},
			{name: slotName(6), slot: 6, size: 3, hash: digest{3}, first: 4, last: 4},
			{name: slotName(7), slot: 7, size: 2, hash: digest{4}, first: 5, last: 5},
		},
		meta: []byte("meta"), inline: []byte("ab"),
	}
}

func TestInlineRunThatIsNotNamedIsFound(t *testing.T) {
	for what, change := range map[string]func(*record){
		"another size": func(r *record) { r.inline = []byte("a") },
		"no runs":      func(r *record) { r.runs = nil },
		"a file":       func(r *record) { r.runs = r.runs[:1] },
		"another slot": func(r *record) { r.runs = r.runs[:2] },
		"a later slot": func(r *record) { r.runs[1].slot = 8 },
	} {
		r := sampleRecord()
		change(r)
		if _, err := decodeRecord(r.encode()); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestRecordAndHeadRoundTrip(t *testing.T) {
	want := sampleRecord()
	got, err := decodeRecord(want.encode())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
	h := head{lineage: "l", slot: 9, hash: digest{3}, epoch: 4}
	if got, err := decodeHead(h.encode()); err != nil || got != h {
		t.Fatalf("%+v, %v; want %+v", got, err, h)
	}
}

// FuzzRecord decodes hostile bytes, as they are and with the right checksum. What is accepted survives a round trip.
func FuzzRecord(f *testing.F) {
	whole := sampleRecord().encode()
	f.Add(whole)
	f.Add(whole[frameHeadBytes : len(whole)-crcBytes])
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, framed := range [][]byte{data, seal(recordMagic, data)} {
			r, err := decodeRecord(framed)
			if err != nil {
				continue
			}
			if again, err := decodeRecord(r.encode()); err != nil || !bytes.Equal(again.encode(), r.encode()) {
				t.Fatalf("accepted, but not again: %v", err)
			}
		}
	})
}

// FuzzHead is FuzzRecord for heads.
func FuzzHead(f *testing.F) {
	whole := head{lineage: "l", slot: 9, epoch: 4}.encode()
	f.Add(whole)
	f.Add(whole[frameHeadBytes : len(whole)-crcBytes])
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, framed := range [][]byte{data, seal(headMagic, data)} {
			h, err := decodeHead(framed)
			if err != nil {
				continue
			}
			if again, err := decodeHead(h.encode()); err != nil || again != h {
				t.Fatalf("accepted, but not again: %v", err)
			}
		}
	})
}

// reframe makes a run file of hostile parts: each is a length byte pair and so many bytes; the first is the header. All
// checksums are right, so decoding gets further than a flipped bit does.
func reframe(data []byte) []byte {
	var out []byte
	for first := true; len(data) >= 2; first = false {
		n := min(int(binary.LittleEndian.Uint16(data)), len(data)-2)
		part := data[2 : 2+n]
		data = data[2+n:]
		if first {
			out = seal(runMagic, part)
			continue
		}
		at := len(out)
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
		out = append(out, part...)
		out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[at:], castagnoli))
	}
	return out
}

func sampleParts() []byte {
	h := runHeader{lineage: "l", first: 1, last: 1, schemas: []delta.Schema{{Operator: "count", State: "n"}}}.encode()
	var out []byte
	for _, part := range [][]byte{
		h[frameHeadBytes : len(h)-crcBytes],
		delta.AppendPut([]byte{entriesTag, 0, 3, 1}, []byte("key"), []byte("value")),
		{footerTag, 1, 1},
	} {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return out
}

// runOf names a file as a record would: the hash is right for as much as is in frames.
func runOf(data []byte) run {
	sum := sha256.New()
	if size, err := frameSize(runMagic, data[:min(frameHeadBytes, len(data))]); err == nil && size <= int64(len(data)) {
		sum.Write(data[:size])
		for rest := data[size:]; len(rest) >= lengthBytes; {
			n := lengthBytes + int64(binary.LittleEndian.Uint32(rest))
			if n+crcBytes > int64(len(rest)) {
				break
			}
			sum.Write(rest[n : n+crcBytes])
			rest = rest[n+crcBytes:]
		}
	}
	r := run{name: "run-x", size: int64(len(data)), first: 1, last: 1}
	sum.Sum(r.hash[:0])
	return r
}

func TestReframedSampleIsARun(t *testing.T) {
	data, blocks := reframe(sampleParts()), 0
	l := &Log{o: Options{Store: oneObject{data: data}}, lineage: "l"}
	err := l.restoreRun(t.Context(), runOf(data), func(b delta.Block) error {
		if blocks++; b.Operator != "count" || b.Group != 3 || b.Count != 1 {
			t.Errorf("block %+v", b)
		}
		return nil
	})
	if err != nil || blocks != 1 {
		t.Fatalf("%d blocks, %v", blocks, err)
	}
}

// Blocks that are whole but those of another run of the same size.
func TestAnotherRunInItsPlaceIsFound(t *testing.T) {
	data := reframe(sampleParts())
	named := runOf(data)
	other := reframe(bytes.Replace(sampleParts(), []byte("value"), []byte("other"), 1))
	l := &Log{o: Options{Store: oneObject{data: other}}, lineage: "l"}
	err := l.restoreRun(t.Context(), named, func(delta.Block) error { return nil })
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "not the file that the epoch's record names") {
		t.Fatalf("got %v", err)
	}
}

func TestBytesBehindTheFooterAreFound(t *testing.T) {
	data := append(reframe(sampleParts()), 0)
	l := &Log{o: Options{Store: oneObject{data: data}}, lineage: "l"}
	if err := l.restoreRun(t.Context(), runOf(data), func(delta.Block) error { return nil }); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
}

// FuzzRun restores and folds hostile files whose hashes are right.
func FuzzRun(f *testing.F) {
	f.Add(sampleParts())
	f.Add(reframe(sampleParts()))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, file := range [][]byte{data, reframe(data)} {
			l := &Log{o: Options{Store: oneObject{data: file}}, lineage: "l"}
			var seen int
			_ = l.restoreRun(t.Context(), runOf(file), func(b delta.Block) error {
				if seen += len(b.Data); seen > len(file) {
					t.Fatalf("%d bytes of entries from a file of %d", seen, len(file))
				}
				return nil
			})
			foldHostile(t, l, runOf(file))
		}
	})
}

func foldHostile(t *testing.T, l *Log, r run) {
	a, err := openRun(t.Context(), l.o.Store, "l", r)
	if err != nil {
		return
	}
	in := &input{runReader: a}
	table := unite([]*input{in})
	w := rewritingWriter{&runWriter{buf: bufio.NewWriter(io.Discard), sum: sha256.New()}, table, make([]Rewrite, len(table)), nil}
	if err := mergeBlocks(t.Context(), []*input{in}, newWinners(true), w); err != nil && !errors.Is(err, ErrDamaged) {
		t.Fatalf("%d schemas: %v", len(table), err)
	}
}

func TestNonCanonicalLengthsFoldRight(t *testing.T) {
	// The length of the key "a" (+1) written in two bytes; then the same key as delta writes it.
	odd := append([]byte{0x82, 0x00}, 'a', 1, 'x')
	w := newWinners(false)
	if err := w.add(1, odd); err != nil {
		t.Fatal(err)
	}
	if err := w.add(2, delta.AppendDelete(delta.AppendPut(nil, []byte("b"), nil), []byte("a"))); err != nil {
		t.Fatal(err)
	}
	var got []byte
	if err := w.emit(func(_ int, data []byte) error { got = append(got, data...); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := delta.AppendDelete(delta.AppendPut(nil, []byte("b"), nil), []byte("a")); !bytes.Equal(got, want) {
		t.Fatalf("%x, want %x", got, want)
	}
}
