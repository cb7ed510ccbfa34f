package checkpoint

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"strings"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// A run is a frame (lineage, epochs, schema table), then blocks in the order of operator, state and key group,
// then a footer with the counts. Its hash, by which a record names it, is that of the frame and of the blocks' checksums: they
// find what was damaged in a block, the hash another file in its place. A block is its body's length (4 bytes), the body and the CRC32C of both (4). A body is
// a tag and, for entries, the number of the schema, key group, number of entries and the entries. Several blocks of one
// key group stand in the order they happened.
const (
	runPrefix      = "run-"
	entriesTag     = 'B'
	footerTag      = 'F'
	lengthBytes    = 4
	ioBufferBytes  = 256 << 10
	foldBlockBytes = 1 << 20 // a folded block is closed when it is longer
	// blockBytesMax bounds one block, as its length has 4 bytes.
	blockBytesMax = math.MaxUint32 - 64
)

// isRunName says whether a file is one of ours to delete.
func isRunName(name string) bool {
	return strings.HasPrefix(name, runPrefix) && len(name) > len(runPrefix)
}

// runHeader is what the first frame of a run says.
type runHeader struct {
	lineage     string
	first, last flow.Epoch
	schemas     []delta.Schema // sorted by operator and state
}

func (h runHeader) encode() []byte {
	b := appendString(nil, h.lineage)
	b = binary.AppendUvarint(b, uint64(h.first))
	b = binary.AppendUvarint(b, uint64(h.last))
	return seal(runMagic, appendSchemas(b, h.schemas))
}

func decodeRunHeader(frame []byte) (runHeader, error) {
	payload, err := unseal(runMagic, frame)
	if err != nil {
		return runHeader{}, err
	}
	f := &fields{rest: payload}
	h := runHeader{lineage: f.string(), first: flow.Epoch(f.int63()), last: flow.Epoch(f.int63()), schemas: f.schemas()}
	return h, f.end()
}

// runWriter writes the blocks of one run.
type runWriter struct {
	buf     *bufio.Writer
	sum     hash.Hash // of the run, see above
	size    int64
	head    []byte // scratch
	check   [crcBytes]byte
	blocks  uint64
	entries uint64
}

// createRun makes the file of a run of what write writes, at most about so many bytes, and says how a record names it.
func createRun(ctx context.Context, s Store, name string, h runHeader, bytes int64, write func(*runWriter) error) (run, error) {
	if err := checkSpace(s, bytes); err != nil {
		return run{}, fmt.Errorf("write run %q: %w", name, err)
	}
	var r run
	err := s.Create(ctx, name, func(out io.Writer) (err error) { r, err = writeRun(out, h, bytes, write); return err })
	if err != nil {
		return run{}, fmt.Errorf("write run %q: %w", name, err)
	}
	r.name = name
	return r, nil
}

// writeRun writes the bytes of a run, about so many, and says all of it but where it is.
func writeRun(out io.Writer, h runHeader, bytes int64, write func(*runWriter) error) (run, error) {
	w := &runWriter{sum: sha256.New(), buf: bufio.NewWriterSize(out, int(min(ioBufferBytes, bytes+4<<10)))}
	frame := h.encode()
	w.sum.Write(frame)
	if err := w.write(frame); err != nil {
		return run{}, err
	}
	if err := write(w); err != nil {
		return run{}, err
	}
	if err := w.finish(); err != nil {
		return run{}, err
	}
	r := run{size: w.size, first: h.first, last: h.last}
	w.sum.Sum(r.hash[:0])
	return r, nil
}

func (w *runWriter) write(p []byte) error {
	w.size += int64(len(p))
	_, err := w.buf.Write(p)
	return err
}

// block appends entries of one key group.
func (w *runWriter) block(schema int, group flow.KeyGroup, count int, data []byte) error {
	if len(data) > blockBytesMax {
		return fmt.Errorf("block of %d bytes in key group %d, at most %d", len(data), group, blockBytesMax)
	}
	b := append(w.head[:0], 0, 0, 0, 0, entriesTag)
	b = binary.AppendUvarint(b, uint64(schema))
	b = binary.AppendUvarint(b, uint64(group))
	b = binary.AppendUvarint(b, uint64(count))
	w.blocks++
	w.entries += uint64(count)
	return w.framed(b, data)
}

// framed writes a body of two parts behind the room for its length at the start of b.
func (w *runWriter) framed(b, data []byte) error {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-lengthBytes+len(data)))
	crc := crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, data)
	w.head = b
	check := binary.LittleEndian.AppendUint32(w.check[:0], crc)
	w.sum.Write(check)
	if err := w.write(b); err != nil {
		return err
	}
	if err := w.write(data); err != nil {
		return err
	}
	return w.write(check)
}

func (w *runWriter) finish() error {
	b := append(w.head[:0], 0, 0, 0, 0, footerTag)
	b = binary.AppendUvarint(b, w.blocks)
	b = binary.AppendUvarint(b, w.entries)
	if err := w.framed(b, nil); err != nil {
		return err
	}
	return w.buf.Flush()
}
