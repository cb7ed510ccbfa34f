package checkpoint

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// runReader reads the blocks of a run one after the other and checks all there is to check: every block's checksum as it
// passes, order, counts, and at the end the hash of the run.
type runReader struct {
	run    run
	object Object
	in     *bufio.Reader
	sum    hash.Hash
	left   int64 // bytes of the file not read yet: nothing longer is allocated
	runHeader

	buf     []byte
	schema  int // of the current block
	group   flow.KeyGroup
	count   int
	data    []byte // aliases buf until the next block
	blocks  uint64
	entries uint64
}

// openRun opens a run and reads its header.
func openRun(ctx context.Context, s Store, lineage string, r run) (*runReader, error) {
	o, err := openObject(ctx, s, lineage, r)
	if err != nil {
		return nil, r.explain(err)
	}
	rd := &runReader{run: r, object: o, sum: sha256.New(), left: o.Size(), schema: -1}
	rd.in = bufio.NewReaderSize(io.NewSectionReader(o, 0, o.Size()), int(min(ioBufferBytes, o.Size()))) // a fold opens hundreds
	if err := rd.open(lineage); err != nil {
		return nil, r.explain(errors.Join(err, o.Close()))
	}
	return rd, nil
}

// explain says which file is damaged and what can be done.
func (r run) explain(err error) error {
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrVersion) {
		return fmt.Errorf("run %q with the changes of epochs %d to %d: %w; %s", r.name, r.first, r.last, err, remedyFor(err))
	}
	return fmt.Errorf("run %q with the changes of epochs %d to %d: %w", r.name, r.first, r.last, err)
}

// openObject opens what holds the bytes of a run: its file, or the section of its slot, of which every byte is checked.
func openObject(ctx context.Context, s Store, lineage string, r run) (Object, error) {
	if r.slot == 0 {
		return s.Open(ctx, r.name)
	}
	data, err := readSmall(ctx, s, r.name)
	if err != nil {
		return nil, err
	}
	holder, err := decodeRecord(data)
	if err != nil {
		return nil, err
	}
	if holder.slot != r.slot || holder.lineage != lineage {
		return nil, fmt.Errorf("%w: record of slot %d, lineage %q; want lineage %q", ErrDamaged, holder.slot, holder.lineage, lineage)
	}
	return section{bytes.NewReader(holder.inline)}, nil
}

// section is the inline run of a slot that was read.
type section struct{ *bytes.Reader }

func (section) Close() error { return nil }

func (r *runReader) open(lineage string) error {
	if r.left != r.run.size {
		return fmt.Errorf("%w: %d bytes, want %d", ErrDamaged, r.left, r.run.size)
	}
	start, err := r.in.Peek(int(min(frameHeadBytes, r.left)))
	if err != nil {
		return cutOff(err)
	}
	size, err := frameSize(runMagic, start)
	if err != nil {
		return err
	}
	frame, err := r.take(size)
	if err != nil {
		return err
	}
	if r.runHeader, err = decodeRunHeader(frame); err != nil {
		return err
	}
	r.sum.Write(frame)
	if r.lineage != lineage || r.first != r.run.first || r.last != r.run.last {
		return fmt.Errorf("%w: file of lineage %q, epochs %d to %d; want lineage %q", ErrDamaged, r.lineage, r.first, r.last, lineage)
	}
	if !slices.IsSortedFunc(r.schemas, compareSchemas) {
		return fmt.Errorf("%w: schemas out of order", ErrDamaged)
	}
	return nil
}

// take reads the next n bytes into the buffer.
func (r *runReader) take(n int64) ([]byte, error) {
	if n > r.left {
		return nil, fmt.Errorf("%w: %d bytes announced, %d left", ErrDamaged, n, r.left)
	}
	r.left -= n
	r.buf = slices.Grow(r.buf[:0], int(n))[:n]
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return nil, cutOff(err)
	}
	return r.buf, nil
}

// cutOff makes the end of a file that is shorter than its size an error of its own.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut off", ErrDamaged)
	}
	return err
}

// next reads the next block; io.EOF behind the last, when the whole file was as its record says.
func (r *runReader) next() error {
	body, err := r.body()
	if err != nil {
		return r.run.explain(err)
	}
	f := &fields{rest: body[1:]}
	switch body[0] {
	case entriesTag:
		err = r.block(f)
	case footerTag:
		if err = r.footer(f); err == nil {
			return io.EOF
		}
	default:
		err = fmt.Errorf("%w: block with tag %d", ErrDamaged, body[0])
	}
	if err != nil {
		return r.run.explain(fmt.Errorf("block %d: %w", r.blocks, err))
	}
	return nil
}

// body reads and checks the frame of a block; its body has at least a tag.
func (r *runReader) body() ([]byte, error) {
	length, err := r.in.Peek(lengthBytes)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", r.blocks, cutOff(err))
	}
	b, err := r.take(lengthBytes + int64(binary.LittleEndian.Uint32(length)) + crcBytes)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", r.blocks, err)
	}
	checked, crc := b[:len(b)-crcBytes], b[len(b)-crcBytes:]
	if crc32.Checksum(checked, castagnoli) != binary.LittleEndian.Uint32(crc) {
		return nil, fmt.Errorf("block %d: %w: wrong checksum", r.blocks, ErrDamaged)
	}
	r.sum.Write(crc)
	if len(checked) == lengthBytes {
		return nil, fmt.Errorf("block %d: %w: empty", r.blocks, ErrDamaged)
	}
	return checked[lengthBytes:], nil
}

func (r *runReader) block(f *fields) error {
	schema, group := f.uvarint(), f.uvarint()
	r.count, r.data = f.count(), f.rest
	if f.err != nil {
		return f.err
	}
	if schema >= uint64(len(r.schemas)) || group >= flow.MaxKeyGroups {
		return fmt.Errorf("%w: schema %d of %d, key group %d", ErrDamaged, schema, len(r.schemas), group)
	}
	if int(schema) < r.schema || int(schema) == r.schema && flow.KeyGroup(group) < r.group {
		return fmt.Errorf("%w: out of order", ErrDamaged)
	}
	r.schema, r.group = int(schema), flow.KeyGroup(group)
	r.blocks++
	r.entries += uint64(r.count)
	return nil
}

func (r *runReader) footer(f *fields) error {
	blocks, entries := f.uvarint(), f.uvarint()
	if err := f.end(); err != nil {
		return err
	}
	if blocks != r.blocks || entries != r.entries {
		return fmt.Errorf("%w: %d blocks with %d entries, the footer says %d with %d", ErrDamaged, r.blocks, r.entries, blocks, entries)
	}
	if r.left != 0 {
		return fmt.Errorf("%w: %d bytes behind the footer", ErrDamaged, r.left)
	}
	if digest(r.sum.Sum(nil)) != r.run.hash {
		return fmt.Errorf("%w: not the file that the epoch's record names (other SHA-256)", ErrDamaged)
	}
	return nil
}

// current is the block read last.
func (r *runReader) current() delta.Block {
	s := r.schemas[r.schema]
	return delta.Block{Operator: s.Operator, State: s.State, Group: r.group, Count: r.count, Data: r.data}
}

func (r *runReader) Close() error { return r.object.Close() }
