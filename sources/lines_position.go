package sources

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/millrace-io/millrace/flow"
)

// markBytes is how many bytes at the beginning of a file, and how many before the position, the checksums cover.
const markBytes = 1024

// linePosition is where a line reader stands.
type linePosition struct {
	offset int64 // of the next byte
	line   int64 // lines before it
	open   bool  // the line before had no end
	head   uint32
	tail   uint32 // checksums of head and tail of what lies before, see lineReader
}

func (p linePosition) append(dst flow.Position) flow.Position {
	dst = binary.AppendVarint(dst, p.offset)
	dst = binary.AppendVarint(dst, p.line)
	open := int64(0)
	if p.open {
		open = 1
	}
	dst = binary.AppendVarint(dst, open)
	dst = binary.AppendVarint(dst, int64(p.head))
	return binary.AppendVarint(dst, int64(p.tail))
}

func linesAt(p flow.Position) (linePosition, error) {
	if len(p) == 0 {
		return linePosition{}, nil
	}
	f := fields{rest: p}
	at := linePosition{offset: f.int(), line: f.int(), open: f.int() == 1, head: uint32(f.int()), tail: uint32(f.int())}
	if err := f.end("lines", p); err != nil {
		return at, err
	}
	if at.offset < 0 || at.line < 0 {
		return at, fmt.Errorf("position %x is damaged: offset %d, line %d", []byte(p), at.offset, at.line)
	}
	return at, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// position appends where the reader stands.
func (r *lineReader) position(dst flow.Position) flow.Position {
	at := r.at
	at.head, at.tail = crc32.Checksum(r.head, castagnoli), crc32.Checksum(r.tail, castagnoli)
	return at.append(dst)
}

// consumed notes bytes that the position has passed.
func (r *lineReader) consumed(p []byte) {
	if n := min(markBytes-len(r.head), len(p)); n > 0 {
		r.head = append(r.head, p[:n]...)
	}
	if len(p) >= markBytes {
		r.tail = append(r.tail[:0], p[len(p)-markBytes:]...)
		return
	}
	if over := len(r.tail) + len(p) - markBytes; over > 0 {
		r.tail = r.tail[:copy(r.tail, r.tail[over:])]
	}
	r.tail = append(r.tail, p...)
}

// resume checks that f is still the file that the position was made in, and goes to the position.
func (r *lineReader) resume(f *os.File) error {
	if r.at.offset == 0 {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < r.at.offset {
		return fmt.Errorf("the file has %d bytes and the position is %d: it was truncated or replaced since", info.Size(), r.at.offset)
	}
	n := min(r.at.offset, markBytes)
	r.head, r.tail = make([]byte, n), make([]byte, n)
	if _, err := f.ReadAt(r.head, 0); err != nil {
		return err
	}
	if _, err := f.ReadAt(r.tail, r.at.offset-n); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if crc32.Checksum(r.head, castagnoli) != r.at.head || crc32.Checksum(r.tail, castagnoli) != r.at.tail {
		return fmt.Errorf("the bytes before position %d are not those that were read: the file was changed or replaced since", r.at.offset)
	}
	r.rest = r.at.open
	_, err = f.Seek(r.at.offset, io.SeekStart)
	return err
}
