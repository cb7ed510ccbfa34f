package filesink

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// entry is what a token says of a file: its first size bytes are safe under the hidden name, and have this hash.
type entry struct {
	hidden, final string
	size          int64
	hash          [sha256.Size]byte
	closed        bool // by its writer, at this size: it is never written to again
	due           bool // closed, and Commit is to publish it: its batch has ended
}

const tokenVersion = 1

// appendToken appends the token of some files.
func appendToken(dst []byte, files []entry) []byte {
	dst = append(dst, tokenVersion)
	dst = binary.AppendUvarint(dst, uint64(len(files)))
	for _, f := range files {
		dst = append(dst, f.stage())
		dst = appendText(appendText(dst, f.hidden), f.final)
		dst = binary.AppendUvarint(dst, uint64(f.size))
		dst = append(dst, f.hash[:]...)
	}
	return dst
}

// The stages of a file in a token.
const (
	stageOpen byte = iota
	stageClosed
	stageDue
)

func (f entry) stage() byte {
	switch {
	case f.due:
		return stageDue
	case f.closed:
		return stageClosed
	}
	return stageOpen
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// entryBytesMin is what an entry takes at least.
const entryBytesMin = 1 + 2 + 2 + 1 + sha256.Size

var errToken = errors.New("the token is damaged, or of another kind of sink")

// parseToken is the reverse of appendToken. Its names stay within the directory.
func parseToken(token []byte) ([]entry, error) {
	if len(token) == 0 {
		return nil, errToken
	}
	if token[0] != tokenVersion {
		return nil, fmt.Errorf("token of version %d, this build reads %d: go on with the build that wrote it", token[0], tokenVersion)
	}
	p := parser{rest: token[1:]}
	n := p.uint()
	if n > uint64(len(p.rest)/entryBytesMin) {
		return nil, errToken
	}
	files := make([]entry, 0, n)
	for range n {
		files = append(files, p.entry())
	}
	if p.bad || len(p.rest) > 0 {
		return nil, errToken
	}
	return files, nil
}

type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.rest)) {
		p.bad, p.rest = true, nil
		return nil
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func (p *parser) uint() uint64 {
	v, n := binary.Uvarint(p.rest)
	p.take(uint64(max(n, 0)))
	p.bad = p.bad || n <= 0
	return v
}

func (p *parser) entry() (f entry) {
	stage := p.take(1)
	f.hidden, f.final = p.name(), p.name()
	size := p.uint()
	copy(f.hash[:], p.take(sha256.Size))
	if p.bad || stage[0] > stageDue || int64(size) <= 0 || !strings.HasPrefix(f.hidden, hiddenPrefix) || strings.HasPrefix(f.final, ".") {
		p.bad = true
		return entry{}
	}
	f.size, f.closed, f.due = int64(size), stage[0] >= stageClosed, stage[0] == stageDue
	return f
}

// name is the name of a file in the directory itself.
func (p *parser) name() string {
	name := string(p.take(p.uint()))
	p.bad = p.bad || name == "" || len(name) > nameBytesMax || strings.ContainsAny(name, "/\\\x00")
	return name
}
