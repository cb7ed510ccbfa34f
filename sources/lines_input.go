package sources

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

const lineChunkBytes = 64 << 10

// quietAfter is how long an input that may wait gives nothing before it counts as at its end for now.
const quietAfter = 10 * time.Millisecond

// errQuiet is returned when nothing came for as long as the reader has patience.
var errQuiet = errors.New("nothing to read for now")

// input is where a line reader gets its bytes; read gives some, or io.EOF, or ctx's error, or errQuiet after patience,
// which is 0 for a read without that.
type input interface {
	read(ctx context.Context, p []byte, patience time.Duration) (int, error)
	close() error
}

type file struct{ f *os.File }

func (f file) read(ctx context.Context, p []byte, _ time.Duration) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return f.f.Read(p)
}

func (f file) close() error { return f.f.Close() }

// pump reads an input that may block for ever, so that a Read can end with its context: each read runs on a goroutine of
// its own, which ends with it. The pump belongs to the source and outlives the readers: what a read that nobody waited
// for brought goes to the next reader.
type pump struct {
	from    io.Reader
	chunks  chan chunk // holds one
	running bool       // a read is under way or in chunks; owned, as are the fields below, by the one reader there is
	buf     []byte
	rest    []byte // of the last chunk
	err     error
}

type chunk struct {
	n   int
	err error
}

func (p *pump) read(ctx context.Context, b []byte, patience time.Duration) (int, error) {
	if len(p.rest) == 0 && p.err == nil {
		if !p.running {
			p.running = true
			go func() {
				n, err := p.from.Read(p.buf)
				p.chunks <- chunk{n, err}
			}()
		}
		var quiet <-chan time.Time
		if patience > 0 {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			quiet = timer.C
		}
		select {
		case c := <-p.chunks:
			p.running, p.rest, p.err = false, p.buf[:c.n], c.err
		case <-quiet:
			return 0, errQuiet
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	if len(p.rest) > 0 {
		return n, nil
	}
	return n, p.err
}

func (p *pump) close() error { return nil }
