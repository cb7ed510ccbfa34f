package natssource_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/natssource"
)

func purge(t *testing.T, s jetstream.Stream, before uint64) {
	t.Helper()
	if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(before)); err != nil {
		t.Fatal(err)
	}
}

func notAgain(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("%v asks for another attempt", err)
	}
}

// TestRemovedBeforeOpenIsAnError, or a dead letter where that was asked for. Nothing is passed silently.
func TestRemovedBeforeOpenIsAnError(t *testing.T) {
	r := start(t)
	s := r.stream(t, "S")
	r.publish(t, "S.x", numbered("v", 10)...)
	src := natssource.New(r.endless("S"), codec.String)
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	b := room[string](3)
	for len(b.Records) < 3 {
		if err := reader.Read(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	reader.Close()
	purge(t, s, 7)
	_, err := src.Open(t.Context(), split, b.Next)
	mustSay(t, err, "sequence 4 of S/> is gone", "begins with 7", "SkipLost")
	notAgain(t, err)

	cfg := r.endless("S")
	cfg.SkipLost = true
	reader = open(t, natssource.New(cfg, codec.String), split, b.Next)
	defer reader.Close()
	got, dead, _ := take(t, reader, 5)
	if !slices.Equal(got, []string{"v6", "v7", "v8", "v9"}) || len(dead) != 1 || dead[0].Position != "4-6" || !strings.Contains(dead[0].Reason, "sequence 4 of S/> is gone") {
		t.Errorf("got %q and %+v", got, dead)
	}

	beginning := open(t, src, split, split.Start) // earliest is what is the oldest when it is opened
	defer beginning.Close()
	if got, _, _ := take(t, beginning, 4); got[0] != "v6" {
		t.Errorf("got %q", got)
	}
}

// TestRemovedWhileReadingIsAnError: the server's consumer goes on behind the gap without a word.
func TestRemovedWhileReadingIsAnError(t *testing.T) {
	for _, skip := range []bool{false, true} {
		r := start(t)
		s := r.stream(t, "S")
		r.publish(t, "S.x", numbered("v", 50)...)
		cfg := r.endless("S")
		cfg.SkipLost, cfg.FetchMessages = skip, 1
		src := natssource.New(cfg, codec.String)
		split := splitsOf(t, src)[0]
		reader := open(t, src, split, split.Start)
		defer reader.Close()
		take(t, reader, 1)
		purge(t, s, 41)
		if !skip {
			err := failure(t, reader)
			mustSay(t, err, "of S/> is gone", "begins with 41")
			notAgain(t, err)
			continue
		}
		var got []string
		var dead []flow.DeadLetter
		for len(got) == 0 || got[len(got)-1] != "v49" {
			more, bad, _ := take(t, reader, 1)
			got, dead = append(got, more...), append(dead, bad...)
		}
		if len(dead) != 1 || !strings.HasSuffix(dead[0].Position, "-40") || !slices.Equal(got[len(got)-10:], numbered("v", 50)[40:]) {
			t.Errorf("got %q and %+v", got, dead)
		}
	}
}

// TestPositionPassesOtherSubjects: messages of other subjects that the stream removes are no loss of this split.
func TestPositionPassesOtherSubjects(t *testing.T) {
	r := start(t)
	s := r.stream(t, "S")
	r.publish(t, "S.rare", "one")
	src := natssource.New(natssource.Probing(r.endless("S", "S.rare"), time.Millisecond), codec.String)
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	defer reader.Close()
	_, _, at := take(t, reader, 1)
	r.publish(t, "S.often", numbered("", 20)...)
	for b := room[string](1); at[7] < 22; at = slices.Clone(b.Next) {
		b.Reset()
		if err := reader.Read(t.Context(), b); err != nil || len(b.Records) > 0 {
			t.Fatal(b.Records, err)
		}
	}
	purge(t, s, 22)
	r.publish(t, "S.rare", "two")
	if got, _, _ := take(t, reader, 1); got[0] != "two" {
		t.Errorf("got %q", got)
	}
	again := open(t, src, split, at)
	defer again.Close()
	if got, _, _ := take(t, again, 1); got[0] != "two" {
		t.Errorf("opened again: got %q", got)
	}
}

// TestBoundedSplitEndsWhenItsMessagesAreRemoved: what the consumer announced never comes.
func TestBoundedSplitEndsWhenItsMessagesAreRemoved(t *testing.T) {
	r := start(t)
	s := r.stream(t, "S")
	r.publish(t, "S.a", "first")
	r.publish(t, "S.x", numbered("v", 30)...)
	r.publish(t, "S.a", "last")
	cfg := natssource.Probing(r.config("S", "S.x"), time.Millisecond)
	cfg.FetchMessages = 1
	src := natssource.New(cfg, codec.String)
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	defer reader.Close()
	take(t, reader, 1)
	if err := s.Purge(t.Context(), jetstream.WithPurgeSubject("S.x")); err != nil {
		t.Fatal(err)
	}
	if got, _, at := take(t, reader, -1); len(got) > 10 || at[7] != 33 {
		t.Errorf("got %q, end at %x", got, at)
	}
}

// TestAnotherStreamOfTheSameNameIsRefused: its sequences mean other messages.
func TestAnotherStreamOfTheSameNameIsRefused(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.publish(t, "S.x", "a", "b")
	src := natssource.New(r.endless("S"), codec.String)
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	defer reader.Close()
	_, _, at := take(t, reader, 1)
	if err := r.js.DeleteStream(t.Context(), "S"); err != nil {
		t.Fatal(err)
	}
	if err := failure(t, reader); !errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("the reader of a stream that was deleted: %v", err)
	}
	_, err := src.Open(t.Context(), split, at)
	mustSay(t, err, `stream "S"`, "not found")
	notAgain(t, err)
	r.stream(t, "S")
	r.publish(t, "S.x", "c", "d", "e")
	_, err = src.Open(t.Context(), split, at)
	mustSay(t, err, `stream "S" was deleted and created again`, "is of the one created at", "this one was created at")
	notAgain(t, err)
	_, err = src.OpenUntil(t.Context(), split, at, at)
	mustSay(t, err, "deleted and created again")
}

// TestStreamThatWentBackIsRefused: one restored from an older copy ends before the position.
func TestStreamThatWentBackIsRefused(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.publish(t, "S.x", "a", "b", "c")
	src := natssource.New(r.endless("S"), codec.String)
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	defer reader.Close()
	_, _, at := take(t, reader, 3)
	at[7] = 99
	_, err := src.Open(t.Context(), split, at)
	mustSay(t, err, "sequence 99 of S/> is not there", "ends with 3")
	notAgain(t, err)
}

// TestServerThatIsStartedAgain: the reader ends as disconnected, and a new one at its position misses nothing and repeats nothing.
func TestServerThatIsStartedAgain(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	want := numbered("v", 200)
	r.publish(t, "S.x", want[:150]...)
	src := natssource.New(r.endless("S"), codec.String)
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	got, _, at := take(t, reader, 100)
	r.Stop()
	for b := room[string](100); ; b.Reset() {
		err := reader.Read(t.Context(), b)
		if err != nil {
			if !errors.Is(err, sources.ErrDisconnected) {
				t.Errorf("a reader without its server: %v", err)
			}
			break
		}
		for _, rec := range b.Records {
			got = append(got, rec.Value)
		}
		at = slices.Clone(b.Next)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	_, err := src.Open(t.Context(), split, at)
	if mustSay(t, err, "connection refused"); !errors.Is(err, sources.ErrDisconnected) {
		t.Errorf("opened without a server: %v", err)
	}
	r.Again(t)
	r.publish(t, "S.x", want[150:]...)
	reader = open(t, src, split, at)
	defer reader.Close()
	rest, _, _ := take(t, reader, len(want)-len(got))
	if got = append(got, rest...); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestServerWithAnEmptyDirectory has no stream: no position is silently begun anew.
func TestServerWithAnEmptyDirectory(t *testing.T) {
	r := start(t)
	r.stream(t, "S")
	r.publish(t, "S.x", "a")
	src := natssource.New(r.endless("S"), codec.String)
	split := splitsOf(t, src)[0]
	r.Stop()
	r.Empty(t)
	r.Again(t)
	_, err := src.Open(t.Context(), split, split.Start)
	mustSay(t, err, `stream "S"`, "not found")
	notAgain(t, err)
}

// TestBucket: a key-value bucket removes values that newer ones replaced, which is no loss, before opening and while reading.
func TestBucket(t *testing.T) {
	r := start(t)
	kv, err := r.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "B"})
	if err != nil {
		t.Fatal(err)
	}
	put := func(key string, values ...string) {
		t.Helper()
		for _, v := range values {
			if _, err := kv.PutString(t.Context(), key, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("a", "a0", "a1")
	cfg := r.endless("KV_B")
	cfg.FetchMessages = 1
	src := natssource.New(cfg, codec.String)
	split := splitsOf(t, src)[0]
	reader := open(t, src, split, split.Start)
	got, _, at := take(t, reader, 1)
	if !slices.Equal(got, []string{"a1"}) {
		t.Errorf("got %q", got)
	}
	newest := func(reader sources.Reader[string], want string) {
		t.Helper()
		for got := ""; got != want; {
			vs, bad, _ := take(t, reader, 1)
			if got = vs[len(vs)-1]; len(bad) > 0 {
				t.Fatalf("dead letters %+v", bad)
			}
		}
	}
	put("a", numbered("a", 50)...)
	newest(reader, "a49")
	reader.Close()
	again := open(t, src, split, at)
	defer again.Close()
	newest(again, "a49")
}
