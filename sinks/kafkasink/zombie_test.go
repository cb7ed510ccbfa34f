package kafkasink_test

import (
	"errors"
	"testing"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/internal/kafka"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sinks/sinktest"
)

// TestZombieCannotAbort: a coordinator that is asked for a new producer by who has an old one of the same id aborts the open transaction
// before it looks at how old. So what a zombie asks for must not concern what the newer attempt has prepared.
func TestZombieCannotAbort(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	zombie := mustStart(t, cfg, 1)
	zombie.write("a")
	before := zombie.prepare(1)
	zombie.commit(before)
	newer := mustStart(t, cfg, 2, before)
	newer.write("b")
	prepared := newer.prepare(2)

	// What its next Write does beside: the name of the transaction that is committed gets a new producer.
	id, producer := kafkasink.Decode(t, before)
	_, err := transactionOf(t, b, id).Init(t.Context(), producer, time.Minute)
	if shared && !kafka.IsFenced(err) { // kfake gives it one
		t.Errorf("a new producer for the zombie: got error %v, want that it is fenced", err)
	}
	newer.commit(prepared)
	b.shows(t, topic, "a", "b")
}

// TestZombieInRecover: an attempt that is overtaken while it recovers gives up nothing of the newer one, and ends.
func TestZombieInRecover(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	newer := mustStart(t, cfg, 2)
	newer.write("b")
	prepared := newer.prepare(1)
	err := kafkasink.New(cfg, codec.String).Recover(t.Context(), sinktest.At(0, 1, 1), nil)
	if !errors.Is(err, sinks.ErrFenced) {
		t.Errorf("got error %v, want %v", err, sinks.ErrFenced)
	}
	newer.commit(prepared)
	b.shows(t, topic, "b")
}

// TestOpenSinceLongAgo: an open transaction hides records from readers, however many attempts ago it was begun.
func TestOpenSinceLongAgo(t *testing.T) {
	b := connect(t, seeds(t))
	topic := b.create(t, 1)
	cfg := exactlyOnce(b, topic)
	old := mustStart(t, cfg, 1)
	old.write("open")
	if err := old.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	newer := mustStart(t, cfg, 1000)
	newer.write("a")
	newer.commit(newer.prepare(1))
	b.settles(t, topic)
	b.shows(t, topic, "a")
}
