package filesource

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// scanner finds the lines of a file.
type scanner struct {
	file *file
	buf  *bufio.Reader
	at   int64
	line int64  // of the line found last, from 1
	long []byte // a line that did not fit the buffer, as far as it may be one
}

func scan(f *file, at int64, buf *bufio.Reader) (*scanner, error) {
	line, err := f.lines(at)
	buf.Reset(f)
	return &scanner{file: f, buf: buf, at: at, line: line}, err
}

// lines counts the line ends before byte at, and goes there.
func (f *file) lines(at int64) (n int64, err error) {
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	chunk := make([]byte, min(at, bufferBytes))
	for done := int64(0); done < at; {
		k, err := io.ReadFull(f, chunk[:min(at-done, int64(len(chunk)))])
		if err != nil {
			return n, err
		}
		n += int64(bytes.Count(chunk[:k], []byte{'\n'}))
		done += int64(k)
	}
	return n, nil
}

func (s *scanner) offset() int64 { return s.at }

// next finds a line without its end; length is what it would be if it is longer than may be, and then text its beginning.
func (s *scanner) next() (text []byte, length int64, err error) {
	most := s.file.recordMax + len("\r\n")
	var n int64
	s.long = s.long[:0]
	for {
		var part []byte
		part, err = s.buf.ReadSlice('\n')
		n += int64(len(part))
		if text = part; int64(len(part)) < n || errors.Is(err, bufio.ErrBufferFull) {
			s.long = append(s.long, part[:min(len(part), most-len(s.long))]...)
			text = s.long
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	if err != nil && !errors.Is(err, io.EOF) || n == 0 {
		return nil, 0, err
	}
	s.at += n
	s.line++
	if int64(len(text)) < n {
		return text, n, nil
	}
	if end := len(text) - 1; text[end] == '\n' {
		text = bytes.TrimSuffix(text[:end], []byte{'\r'})
	}
	return text, int64(len(text)), nil
}

// fits says whether a line is not too long; one that is becomes a dead letter.
func (s *scanner) fits(text []byte, length int64, bad *[]flow.DeadLetter) bool {
	if length <= int64(s.file.recordMax) {
		return true
	}
	*bad = append(*bad, s.file.letter(s.line, text,
		fmt.Sprintf("line of %d bytes, at most %d: raise Config.MaxRecordBytes", length, s.file.recordMax)))
	return false
}

type textFormat struct{}

func (textFormat) check() error { return nil }

func (textFormat) open(f *file, at int64, buf *bufio.Reader) (content[string], error) {
	s, err := scan(f, at, buf)
	return &textContent{scanner: s}, err
}

type textContent struct {
	*scanner
	joined []byte // the lines of a batch, which share one string
	ends   []int
}

func (c *textContent) fill(b *sources.Batch[string]) error {
	c.joined, c.ends = c.joined[:0], c.ends[:0]
	var err error
	for len(b.Records)+len(c.ends)+len(b.Bad) < cap(b.Records) && len(c.joined) < recordBytesMax {
		var text []byte
		var length int64
		if text, length, err = c.next(); err != nil {
			break
		}
		if c.fits(text, length, &b.Bad) {
			c.joined = append(c.joined, text...)
			c.ends = append(c.ends, len(c.joined))
		}
	}
	shared, from := string(c.joined), 0
	for _, to := range c.ends {
		b.Records = append(b.Records, flow.Record[string]{Value: shared[from:to]})
		from = to
	}
	return err
}

type jsonFormat[T any] struct{ codec codec.Codec[T] }

func (jsonFormat[T]) check() error { return nil }

func (j jsonFormat[T]) open(f *file, at int64, buf *bufio.Reader) (content[T], error) {
	s, err := scan(f, at, buf)
	return &jsonContent[T]{s, j.codec}, err
}

type jsonContent[T any] struct {
	*scanner
	codec codec.Codec[T]
}

func (c *jsonContent[T]) fill(b *sources.Batch[T]) error {
	for len(b.Records)+len(b.Bad) < cap(b.Records) {
		text, length, err := c.next()
		if err != nil {
			return err
		}
		if !c.fits(text, length, &b.Bad) || len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		v, err := c.codec.Decode(text)
		if err != nil {
			b.Bad = append(b.Bad, c.file.letter(c.line, text, err.Error()))
			continue
		}
		b.Records = append(b.Records, flow.Record[T]{Value: v})
	}
	return nil
}
