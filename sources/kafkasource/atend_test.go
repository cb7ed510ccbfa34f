package kafkasource_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// toAtEnd reads until the partition is at its end.
func toAtEnd[T any](t *testing.T, r sources.Reader[T], batch int) (vs []T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	b := &sources.Batch[T]{Records: make([]flow.Record[T], 0, batch)}
	for !b.AtEnd {
		b.Reset()
		if err := r.Read(ctx, b); err != nil {
			t.Fatalf("behind %d records: %v", len(vs), err)
		}
		for _, rec := range b.Records {
			vs = append(vs, rec.Value)
		}
	}
	return vs
}

// TestIsAtItsEndBehindTheLastRecord: with small fetches and batches, never before; again after each that comes later.
func TestIsAtItsEndBehindTheLastRecord(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	want := numbered("v", 25)
	b.values(t, topic, 0, want...)
	for _, batch := range []int{1, 4, 25, 100} {
		cfg := config(b, topic)
		cfg.Bounded, cfg.FetchBytes = false, 200
		src := kafkasource.New(cfg, codec.String)
		s := splitsOf(t, src)[0]
		r := open(t, src, s, s.Start)
		if got := toAtEnd(t, r, batch); !slices.Equal(got, want) {
			t.Errorf("batches of %d: at its end behind %q", batch, got)
		}
		for _, v := range []string{"x", "y"} {
			b.values(t, topic, 0, v)
			want = append(want, v)
			if got := toAtEnd(t, r, batch); !slices.Equal(got, []string{v}) {
				t.Errorf("batches of %d: at its end again behind %q, want %q", batch, got, v)
			}
		}
		r.Close()
	}
}

// TestOpenTransactionIsBehindTheEnd: what may not be read yet does not keep a partition from being at its end.
func TestOpenTransactionIsBehindTheEnd(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	b.values(t, topic, 0, "a")
	tx := connect(t, b.seeds, kgo.TransactionalID("tx-"+topic))
	if err := tx.client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	tx.produce(t, record(topic, 0, "open"))
	_, _, r := follow(t, b, topic)
	defer r.Close()
	if got := toAtEnd(t, r, 10); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q", got)
	}
	if err := tx.client.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if got := toAtEnd(t, r, 10); !slices.Equal(got, []string{"open"}) {
		t.Errorf("committed: got %q", got)
	}
}

// TestBatchesFollowThePartition: a batch ends where the partition did when it was planned, and the next one goes on.
func TestBatchesFollowThePartition(t *testing.T) {
	b := start(t)
	topic := b.create(t, 1)
	cfg := config(b, topic)
	cfg.Bounded = false
	src := kafkasource.New(cfg, codec.String)
	s := splitsOf(t, src)[0]
	at := s.Start
	for i, vs := range [][]string{nil, {"a", "b"}, {"c"}, {"d", "e", "f"}} {
		b.values(t, topic, 0, vs...)
		until, err := src.Latest(t.Context(), s, at, 0)
		if err != nil {
			t.Fatal(err)
		}
		if vs == nil {
			if !bytes.Equal(until, at) {
				t.Errorf("batch %d of nothing: from %x until %x", i, at, until)
			}
			continue
		}
		b.values(t, topic, 0, "later")
		r, err := src.OpenUntil(t.Context(), s, at, until)
		if err != nil {
			t.Fatal(err)
		}
		got, _, next := take(t, r, -1)
		r.Close()
		if i > 1 {
			vs = append([]string{"later"}, vs...)
		}
		if !slices.Equal(got, vs) || !bytes.Equal(next, until) {
			t.Errorf("batch %d: got %q up to %x, want %q up to %x", i, got, next, vs, until)
		}
		at = next
		if i == 1 {
			again, err := src.Latest(t.Context(), s, at, 0)
			if err != nil || bytes.Equal(again, at) {
				t.Errorf("the record that came meanwhile is not planned: %x, %v", again, err)
			}
		}
	}
}
