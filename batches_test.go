package millrace_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// growing is a source of one split to which values can be added; it ends when closed.
type growing struct {
	mu   sync.Mutex
	vs   []int
	end  bool
	bell chan struct{}
}

func grow(vs ...int) *growing { return &growing{vs: vs, bell: make(chan struct{}, 1)} }

func (g *growing) add(vs ...int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.vs = append(g.vs, vs...)
	select {
	case g.bell <- struct{}{}:
	default:
	}
}

func at(p flow.Position) int { return int(binary.BigEndian.Uint64(p)) }
func place(n int) flow.Position {
	return binary.BigEndian.AppendUint64(nil, uint64(n))
}

func (g *growing) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	return []flow.Split{{ID: "s", Start: place(0)}}, nil
}

func (g *growing) Open(_ context.Context, _ flow.Split, from flow.Position) (sources.Reader[int], error) {
	return &growingReader{g: g, next: at(from), until: -1}, nil
}

func (g *growing) Latest(_ context.Context, _ flow.Split, from flow.Position, most int64) (flow.Position, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	until := len(g.vs)
	if most > 0 {
		until = min(until, at(from)+int(most))
	}
	if g.end && until == len(g.vs) {
		return place(until), io.EOF
	}
	return place(until), nil
}

func (g *growing) OpenUntil(_ context.Context, _ flow.Split, from, until flow.Position) (sources.Reader[int], error) {
	return &growingReader{g: g, next: at(from), until: at(until)}, nil
}

func (g *growing) Before(_ flow.Split, a, b flow.Position) (bool, error) { return at(a) < at(b), nil }

type growingReader struct {
	g           *growing
	next, until int
}

func (r *growingReader) Close() error { return nil }

func (r *growingReader) Read(ctx context.Context, b *sources.Batch[int]) error {
	for {
		r.g.mu.Lock()
		there, end := len(r.g.vs), r.g.end
		if r.until >= 0 {
			there, end = r.until, true
		}
		for r.next < there && len(b.Records) < cap(b.Records) {
			b.Records = append(b.Records, flow.Record[int]{Value: r.g.vs[r.next]})
			r.next++
		}
		r.g.mu.Unlock()
		b.Next = append(b.Next[:0], place(r.next)...)
		switch {
		case end && r.next == there:
			return io.EOF
		case len(b.Records) > 0:
			return nil
		}
		select {
		case <-r.g.bell:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// batchLog is a sink that keeps what each batch brought, and how often each was ended.
type batchLog struct {
	mu    sync.Mutex
	open  []int
	rows  map[int64][]int // of the last time the batch was ended
	ended []int64
	flush func() // on each Flush, if set
	heard chan int64
}

func newBatchLog() *batchLog {
	return &batchLog{rows: map[int64][]int{}, heard: make(chan int64, 1000)}
}

func (l *batchLog) Open(context.Context, sinks.Instance) (sinks.Writer[int], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = nil
	return l, nil
}

func (l *batchLog) Close() error { return nil }

func (l *batchLog) Write(_ context.Context, b *flow.Batch[int]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range b.Records {
		l.open = append(l.open, b.Records[i].Value)
	}
	return nil
}

func (l *batchLog) EndBatch(_ context.Context, batch int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.rows[batch]; ok && !slices.Equal(old, l.open) {
		return fmt.Errorf("batch %d had %v, done again it has %v", batch, old, l.open)
	}
	l.rows[batch], l.open = l.open, nil
	l.ended = append(l.ended, batch)
	l.heard <- batch
	return nil
}

func (l *batchLog) Flush(context.Context) error {
	if l.flush != nil {
		l.flush()
	}
	return nil
}

// want checks what each batch brought, in the order of their numbers.
func (l *batchLog) want(t *testing.T, want ...[]int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var got [][]int
	for i := range int64(len(l.rows)) {
		got = append(got, l.rows[i])
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Fatalf("batches %v, ended %v; want %v", got, l.ended, want)
	}
}
