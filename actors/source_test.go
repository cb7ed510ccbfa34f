package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// flaky gives 0 to 5. Its first readers lose their connection with records already in the batch.
type flaky struct {
	lose  int64
	opens atomic.Int64
}

type flakyReader struct {
	at   int
	lost bool
}

func (f *flaky) Splits(_ context.Context, known []string) ([]flow.Split, error) {
	if len(known) > 0 {
		return nil, nil
	}
	return []flow.Split{{ID: "s", Start: flow.Position{0}}}, nil
}

func (f *flaky) Open(_ context.Context, _ flow.Split, from flow.Position) (sources.Reader[int], error) {
	return &flakyReader{int(from[0]), f.opens.Add(1) <= f.lose}, nil
}

func (r *flakyReader) Close() error { return nil }

func (r *flakyReader) Read(_ context.Context, b *sources.Batch[int]) error {
	if r.at == 6 {
		return io.EOF
	}
	for range 3 {
		b.Records = append(b.Records, flow.Record[int]{Value: r.at})
		r.at++
	}
	if r.lost { // a broker that goes away ends the connection: the cause is an io.EOF, which is not the end of the split
		return fmt.Errorf("%w: %w", sources.ErrDisconnected, io.EOF)
	}
	b.Next = flow.Position{byte(r.at)}
	return nil
}

// synced is a log that several goroutines write.
type synced struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *synced) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), text)
}

// What came together with a lost connection is read again and delivered once; the loss is logged once, and so is its end.
func TestALostConnectionRepeatsAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(synced)
		r := &rig{source: &flaky{lose: 3}, got: make(chan int), log: log}
		r.start(t)
		var got []int
		for range 6 {
			got = append(got, <-r.got)
		}
		<-r.job.Done()
		if r.job.Err() != nil || !slices.Equal(got, []int{0, 1, 2, 3, 4, 5}) {
			t.Fatalf("got %v, error %v", got, r.job.Err())
		}
		if lost, again := log.count("source lost its connection"), log.count("source reads again"); lost != 1 || again != 1 {
			t.Fatalf("logged a loss %d times and its end %d times; want one each", lost, again)
		}
	})
}

// A reader's error that has an io.EOF for its cause is an error and not the end.
func TestAWrappedEOFIsNoEnd(t *testing.T) {
	r := &rig{source: broken{}, got: make(chan int)}
	r.start(t)
	<-r.job.Done()
	if err := r.job.Err(); r.job.Status() != Failed || !errors.Is(err, io.EOF) ||
		!strings.Contains(err.Error(), `run operator "numbers", task 0/1: read source, split s: half a record: EOF`) {
		t.Fatalf("status %v, error %v", r.job.Status(), err)
	}
}

type broken struct{}

func (broken) Splits(context.Context, []string) ([]flow.Split, error) {
	return []flow.Split{{ID: "s"}}, nil
}

func (broken) Open(context.Context, flow.Split, flow.Position) (sources.Reader[int], error) {
	return brokenReader{}, nil
}

type brokenReader struct{}

func (brokenReader) Close() error { return nil }
func (brokenReader) Read(context.Context, *sources.Batch[int]) error {
	return fmt.Errorf("half a record: %w", io.EOF)
}
