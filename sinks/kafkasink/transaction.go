package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/kafka"
	"github.com/millrace-io/millrace/sinks"
)

// transactions is what a producer has beside, to write each epoch as a transaction. Its names are used in turn: while one waits
// for the commit of its transaction the next epoch is written under another. A name gets a new producer epoch before it is used
// again, so that no token ever commits a newer transaction than its own.
//
// One goroutine writes and prepares, another commits, a third enrolls. The producer's mutex guards all that follows bell.
type transactions struct {
	*producer
	at    sinks.Instance
	given *handover
	bell  chan struct{} // holds one; rung when toAdd has grown

	names   []*name      // with their states
	extra   int          // names made that are used once
	current *name        // of the open transaction
	toAdd   []*partition // of the open transaction, which its coordinator does not know yet
	written bool         // the open transaction has records
}

// name is a transactional id with its newest transaction.
type name struct {
	*kafka.Transactions
	producer kafka.Producer
	state    state
	once     bool // used for one transaction only

	ready chan struct{} // closed when the new producer is there; only then producer and err may be read again
	err   error

	began time.Time
	place kafka.Place // of the newest batch acknowledged; offset -1 = none; guarded by the producer's mutex
	epoch flow.Epoch
	token []byte
}

// state is where a name stands.
type state uint8

const (
	idle      state = iota // has a producer that has written nothing
	open                   // written under
	prepared               // waits for its commit
	committed              // its producer's transaction is committed, and no other may follow
	renewing               // gets a new producer
)

// namesKept is how many names a task uses in turn. More are needed only while epochs are abandoned: those are used once.
const namesKept = 2

// begin makes a name current for the records that follow. It waits for a new producer only when epochs are shorter than that takes.
func (x *transactions) begin(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.current != nil {
		return nil
	}
	n, err := x.free(ctx)
	if err != nil {
		return x.failed(err)
	}
	n.state, n.began = open, time.Now()
	n.place = kafka.Place{Offset: -1}
	x.id, x.epoch = n.producer.ID, n.producer.Epoch
	for _, t := range x.topics {
		for _, part := range t.partitions {
			part.sequence, part.standing = 0, unknown
		}
	}
	x.current = n
	x.renewAll() // there will be an epoch behind this one
	return nil
}

// free is a name that can be written under. The lock is held, except while it waits.
func (x *transactions) free(ctx context.Context) (*name, error) {
	if x.names == nil {
		if err := x.take(); err != nil {
			return nil, err
		}
	}
	var found *name
	for _, n := range x.names {
		switch {
		case n.state == idle:
			return n, nil
		case found == nil && (n.state == renewing || n.state == committed):
			found = n
		}
	}
	if found == nil {
		found = x.oneMore()
	}
	x.renew(found)
	x.mu.Unlock()
	defer x.mu.Lock()
	select {
	case <-found.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return found, found.err
}

// take takes the names that Recover made ready for this attempt.
func (x *transactions) take() error {
	for i := range namesKept {
		id := x.cfg.transactionalID(x.at, x.at.Task, i)
		p, err := x.given.producer(id, x.at.Attempt)
		if err != nil {
			return err
		}
		x.names = append(x.names, &name{Transactions: x.cfg.transactions(id), producer: p})
	}
	return nil
}

// oneMore is a name more than Recover has made ready.
func (x *transactions) oneMore() *name {
	id := x.cfg.transactionalID(x.at, x.at.Task, namesKept+x.extra)
	x.extra++
	n := &name{Transactions: x.cfg.transactions(id), producer: kafka.NoProducer, state: committed, once: true}
	x.names = append(x.names, n)
	return n
}

// renewAll renews the names whose transaction is committed, while others are written under. The lock is held.
func (x *transactions) renewAll() {
	for _, n := range x.names {
		if n.state == committed {
			x.renew(n)
		}
	}
}

// renew gets a new producer for a name, unless one is on its way. The lock is held.
func (x *transactions) renew(n *name) {
	if n.state == renewing {
		return
	}
	n.state, n.ready = renewing, make(chan struct{})
	before := n.producer
	x.done.Go(func() {
		defer close(n.ready)
		fault.Point("kafka/init")
		n.producer, n.err = n.Init(x.ctx, before, x.cfg.TransactionTimeout)
		fault.Point("kafka/init-answered")
	})
}

// prepare ends the current transaction, of which everything is acknowledged, and names it. nil: nothing was written.
func (x *transactions) prepare(epoch flow.Epoch) ([]byte, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.current
	if n == nil || !x.written {
		return nil, nil // one that is open but has no record goes on
	}
	switch open := time.Since(n.began); {
	case open >= x.cfg.TransactionTimeout:
		return nil, fmt.Errorf("kafka sink: the transaction was open for %v, longer than Config.TransactionTimeout of %v: the brokers have aborted it",
			open.Round(time.Millisecond), x.cfg.TransactionTimeout)
	case n.place.Offset < 0:
		return nil, errors.New("kafka sink: the brokers named no offset of what they acknowledged")
	}
	fault.Point("kafka/flushed")
	tok := token{n.ID(), n.producer, n.place}
	n.token, n.epoch, n.state = tok.append(nil), epoch, prepared
	x.current, x.written = nil, false
	return n.token, nil
}

// commit publishes what a token names.
func (x *transactions) commit(ctx context.Context, b []byte) error {
	n := x.prepared(b)
	if n == nil {
		return errors.New("kafka sink: commit of a token that this writer has not prepared, or has committed")
	}
	fault.Point("kafka/commit")
	fault.Soon("kafka/commit-under-way")
	if err := x.cfg.publish(ctx, n.Transactions, b); err != nil {
		return fmt.Errorf("kafka sink: operator %q, task %d, epoch %d: %w", x.at.Operator, x.at.Task, n.epoch, err)
	}
	fault.Point("kafka/commit-answered")
	x.mu.Lock()
	defer x.mu.Unlock()
	n.state = committed
	switch {
	case n.once:
		n.Close()
		x.names = slices.DeleteFunc(x.names, func(o *name) bool { return o == n })
	case x.current != nil:
		x.renew(n)
	}
	// While nothing is written the name stays as it is: the coordinator answers for it when the job comes back after a long time.
	return nil
}

// prepared is the name whose transaction a token names, nil when there is none.
func (x *transactions) prepared(b []byte) *name {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.IndexFunc(x.names, func(n *name) bool { return n.state == prepared && string(n.token) == string(b) })
	if i < 0 {
		return nil
	}
	return x.names[i]
}

// failed says what a refusal means.
func (x *transactions) failed(err error) error {
	if !kafka.IsRefusal(err) {
		return fmt.Errorf("kafka sink: %w", err)
	}
	if n := x.current; n != nil && time.Since(n.began) >= x.cfg.TransactionTimeout {
		return fmt.Errorf("kafka sink: the transaction was open for longer than Config.TransactionTimeout of %v: %w", x.cfg.TransactionTimeout, err)
	}
	return fmt.Errorf("kafka sink: %w: %w", sinks.ErrFenced, err)
}

func (x *transactions) close() {
	for _, n := range x.names {
		n.Close()
	}
}
