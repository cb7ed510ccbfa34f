package kafkasink_test

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/kafka"
)

// BenchmarkTransaction is an epoch of one record: its median, and that of each call. Measure on a real broker (-tags integration).
func BenchmarkTransaction(b *testing.B) {
	br := connect(b, seeds(b))
	topic := br.create(b, 1)
	w := mustStart(b, exactlyOnce(br, topic), 1)
	var whole, write, prepare, commit []time.Duration
	for n := 0; b.Loop(); n++ {
		began := time.Now()
		w.write("a")
		written := time.Now()
		token := w.prepare(flow.Epoch(n + 1))
		prepared := time.Now()
		w.commit(token)
		done := time.Now()
		whole, write = append(whole, done.Sub(began)), append(write, written.Sub(began))
		prepare, commit = append(prepare, prepared.Sub(written)), append(commit, done.Sub(prepared))
	}
	report(b, "epoch", whole)
	report(b, "write", write)
	report(b, "prepare", prepare)
	report(b, "commit", commit)
}

// BenchmarkTransactionRequests are the medians of the requests alone: a new producer waits for the end of its transaction before.
func BenchmarkTransactionRequests(b *testing.B) {
	br := connect(b, seeds(b))
	topic := br.create(b, 1)
	tx := transactionOf(b, br, topic)
	p := kafka.NoProducer
	var initial, add, end []time.Duration
	for b.Loop() {
		began := time.Now()
		var err error
		if p, err = tx.Init(b.Context(), p, time.Minute); err != nil {
			b.Fatal(err)
		}
		ready := time.Now()
		if err := tx.Add(b.Context(), p, map[string][]int32{topic: {0}}); err != nil {
			b.Fatal(err)
		}
		added := time.Now()
		if err := tx.Commit(b.Context(), p); err != nil {
			b.Fatal(err)
		}
		done := time.Now()
		initial, add, end = append(initial, ready.Sub(began)), append(add, added.Sub(ready)), append(end, done.Sub(added))
	}
	report(b, "init", initial)
	report(b, "add", add)
	report(b, "end", end)
}

func report(b *testing.B, what string, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), what+"-p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), what+"-p99-µs")
}
