package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/natssink"
	"github.com/millrace-io/millrace/sources/natssource"
	"github.com/millrace-io/millrace/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keys   = 7
	within = time.Minute // on a loaded machine
)

// rig is a server under test with the streams IN and OUT, and another client of it.
type rig struct {
	*natstest.Server
	js client.JetStream
	n  int // messages published
}

func start(t *testing.T) *rig {
	t.Helper()
	s := natstest.Start(t, nil)
	r := &rig{Server: s, js: s.Connect(t)}
	for _, name := range []string{"IN", "OUT"} {
		if _, err := r.js.CreateStream(t.Context(), client.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Storage: client.FileStorage}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// publish gives each key its next message, until there are n of all. The split of a key is its first subject.
func (r *rig) publish(t *testing.T, n int) {
	t.Helper()
	for ; r.n < n; r.n++ {
		key := r.n % keys
		if _, err := r.js.Publish(t.Context(), fmt.Sprintf("IN.%d.x", key%2), fmt.Appendf(nil, "k%d", key)); err != nil {
			t.Fatal(err)
		}
	}
}

// counts is a job that counts the messages of each key, and writes each count under the key's subject. trip is called for each message.
func (r *rig) counts(ids bool, trip func()) *millrace.Job {
	server := natssource.Server{URLs: []string{r.URL}}
	source := natssource.Config{Server: server, Stream: "IN", Subjects: []string{"IN.0.>", "IN.1.>"}}
	type row = millrace.Pair[string, int64]
	sink := natssink.New(natssink.Config{Server: server}, countCodec{}).Subject(func(v row) string { return "OUT." + v.Key })
	if ids {
		sink = sink.ID(func(v row) string { return fmt.Sprintf("%s:%d", v.Key, v.Value) })
	}
	job := millrace.NewJob("counts")
	job.From("in", natssource.New(source, codec.String)).
		Map("trip", func(v string) string { trip(); return v }).
		KeyBy(func(v string) string { return v }).Count("count", state.Forever).
		To("out", sink, millrace.Update)
	return job
}

type countCodec struct{}

func (countCodec) Append(dst []byte, v millrace.Pair[string, int64]) ([]byte, error) {
	return fmt.Appendf(dst, "%d", v.Value), nil
}

func (countCodec) Decode([]byte) (millrace.Pair[string, int64], error) {
	return millrace.Pair[string, int64]{}, errors.New("never read")
}

func (r *rig) run(t *testing.T, job *millrace.Job, dir string) *millrace.Query {
	t.Helper()
	q, err := job.Start(t.Context(), millrace.Config{StateDir: dir, Parallelism: 2, CommitEvery: 20 * time.Millisecond, RestartMin: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// await waits until each key's newest count is that of all that was published.
func (r *rig) await(t *testing.T, q *millrace.Query) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	out, err := r.js.Stream(ctx, "OUT")
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for key := 0; key < keys; {
		m, err := out.GetLastMsgForSubject(ctx, fmt.Sprintf("OUT.k%d", key))
		if err == nil && string(m.Data) == fmt.Sprint((r.n-key+keys-1)/keys) {
			key++
			continue
		}
		select {
		case <-tick.C:
		case <-q.Done():
			t.Fatalf("the job ended: %v", q.Err())
		case <-ctx.Done():
			t.Fatalf("key %d: newest %v, error %v; the job: %v", key, m, err, q.Progress())
		}
	}
}

// written is what OUT has, by key.
func (r *rig) written(t *testing.T) map[string][]string {
	t.Helper()
	src := natssource.Messages(natssource.Config{Server: natssource.Server{URLs: []string{r.URL}}, Stream: "OUT", Bounded: true})
	got := map[string][]string{}
	job := millrace.NewJob("read")
	job.From("out", src).To("got", sinks.Each(func(m natssource.Message) error {
		key := strings.TrimPrefix(m.Subject, "OUT.")
		got[key] = append(got[key], string(m.Data))
		return nil
	}))
	q, err := job.Start(t.Context(), millrace.Config{Parallelism: 1})
	if err == nil {
		err = q.Await(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// exact says whether each key's counts are 1, 2, 3 to all that was published: none lost and in order; and none repeated, or after
// those that went back are left out.
func (r *rig) exact(t *testing.T, repeats bool) {
	t.Helper()
	got := r.written(t)
	for key := range keys {
		want := make([]string, (r.n-key+keys-1)/keys)
		for i := range want {
			want[i] = fmt.Sprint(i + 1)
		}
		counts := got[fmt.Sprintf("k%d", key)]
		if repeats {
			seen := map[string]bool{}
			counts = slices.DeleteFunc(counts, func(c string) bool {
				again := seen[c]
				seen[c] = true
				return again
			})
		}
		if !slices.Equal(counts, want) {
			t.Errorf("key %d: got %q", key, counts)
		}
	}
}

func stop(t *testing.T, q *millrace.Query) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := q.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// The server is stopped and started while the job runs, and the job is stopped and started: nothing is lost, and as no attempt
// failed, nothing is repeated.
func TestServerIsStartedAgain(t *testing.T) {
	r := start(t)
	dir := t.TempDir()
	r.publish(t, 500)
	q := r.run(t, r.counts(false, func() {}), dir)
	for n := 1000; n <= 2000; n += 500 {
		r.Stop()
		r.Again(t)
		r.publish(t, n)
	}
	r.await(t, q)
	stop(t, q)
	r.publish(t, 3000)
	q = r.run(t, r.counts(false, func() {}), dir)
	r.await(t, q)
	stop(t, q)
	r.exact(t, false)
}

// An attempt that fails writes again what came behind the last epoch. Ids of the records keep it out of the stream.
func TestFailedAttempt(t *testing.T) {
	for _, ids := range []bool{true, false} {
		r := start(t)
		r.publish(t, 3000)
		var seen atomic.Int64
		q := r.run(t, r.counts(ids, func() {
			if n := seen.Add(1); n == 700 || n == 2500 {
				panic("on purpose")
			}
		}), t.TempDir())
		r.await(t, q)
		stop(t, q)
		r.exact(t, !ids)
	}
}
