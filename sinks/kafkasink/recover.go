package kafkasink

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/kafka"
	"github.com/millrace-io/millrace/sinks"
)

// handover is what Recover gives to the writers of its attempt: producers that nobody else has.
type handover struct {
	mu        sync.Mutex
	attempt   flow.Attempt
	producers map[string]kafka.Producer // by transactional id
}

func (h *handover) give(id string, attempt flow.Attempt, p kafka.Producer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if attempt != h.attempt {
		h.attempt, h.producers = attempt, map[string]kafka.Producer{}
	}
	h.producers[id] = p
}

func (h *handover) producer(id string, attempt flow.Attempt) (kafka.Producer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.producers[id]
	switch {
	case h.attempt > attempt:
		return kafka.NoProducer, overtaken(h.attempt)
	case !ok:
		return kafka.NoProducer, fmt.Errorf("attempt %d writes before Recover", attempt)
	}
	return p, nil
}

func overtaken(by flow.Attempt) error {
	return fmt.Errorf("%w: attempt %d has begun", sinks.ErrFenced, by)
}

// transactionalID is prefix-lineage-operator-task-number.attempt.
//
// No two attempts share one. A coordinator that is asked for a new producer aborts the open transaction of the id before it looks at how
// old the producer is that asks: under a shared id a run that was overtaken would abort what a newer one has prepared.
func (c Config) transactionalID(at sinks.Instance, task, number int) string {
	return fmt.Sprintf("%s%d-%d.%d", c.idsOf(at), task, number, at.Attempt)
}

func (c Config) idsOf(at sinks.Instance) string {
	return c.TransactionalIDPrefix + "-" + at.Lineage + "-" + at.Operator + "-"
}

// attemptOf says whose a transactional id is, if it is one of the operator's: behind prefix come the task, a number and the attempt, which is
// 0 where there is none. Two numbers make it definite where the name of one operator begins that of another.
func attemptOf(id, prefix string) (attempt flow.Attempt, ok bool) {
	rest, ok := strings.CutPrefix(id, prefix)
	task, number, both := strings.Cut(rest, "-")
	number, text, named := strings.Cut(number, ".")
	if !ok || !both || !isNumber(task) || !isNumber(number) || named && !isNumber(text) {
		return 0, false
	}
	if named {
		n, err := strconv.ParseInt(text, 10, 64)
		return flow.Attempt(n), err == nil
	}
	return 0, true
}

func isNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && strconv.FormatUint(n, 10) == s
}

func (c Config) transactions(id string) *kafka.Transactions {
	return c.cluster().Transactions(id, c.DeliveryTimeout)
}

// publish commits what a token names, or finds out that it is committed.
func (c Config) publish(ctx context.Context, t *kafka.Transactions, b []byte) error {
	tok, err := decodeToken(b)
	if err != nil {
		return err
	}
	err = t.Commit(ctx, tok.producer)
	if !kafka.IsRefusal(err) {
		return err
	}
	// A coordinator refuses alike what was committed before the id was used again, what timed out and what somebody aborted.
	outcome, why := c.cluster().Outcome(ctx, tok.place, tok.producer, c.DeliveryTimeout)
	switch {
	case outcome == kafka.Committed:
		return nil
	case outcome == kafka.Aborted:
		return fmt.Errorf("the epoch is complete, but its records in %s are lost, from about offset %d on: the transaction was aborted before it could be committed. "+
			"Was the job away for longer than Config.TransactionTimeout of %v? %w", tok.place.Topic, tok.place.Offset, c.TransactionTimeout, err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("the epoch is complete, but whether its records in %s were committed cannot be known: %w; %w", tok.place.Topic, err, why)
}

// Commits implements sinks.Transactional.
func (s Sink[T]) Commits() sinks.Cadence {
	if s.cfg.Guarantee == ExactlyOnce {
		return sinks.PerEpoch
	}
	return sinks.AtOnce
}

// Recover implements sinks.Transactional. A job that wrote transactions before and writes none now still has to publish the last.
func (s Sink[T]) Recover(ctx context.Context, at sinks.Instance, tokens []sinks.Prepared) error {
	if s.cfg.Guarantee != ExactlyOnce && len(tokens) == 0 {
		return nil
	}
	r := recovery{cfg: s.cfg, at: at, given: s.given, tokens: map[string][]sinks.Prepared{}}
	if err := r.plan(ctx, tokens); err != nil {
		return fmt.Errorf("kafka sink: recover operator %q: %w", at.Operator, err)
	}
	if err := r.run(ctx); err != nil {
		return fmt.Errorf("kafka sink: recover operator %q: %w", at.Operator, err)
	}
	return nil
}

// recovery settles all transactional ids of an operator: first it commits what the record names, then it makes a new producer,
// which aborts all else and shuts out older attempts.
type recovery struct {
	cfg    Config
	at     sinks.Instance
	given  *handover
	tokens map[string][]sinks.Prepared // by transactional id, oldest first
	ids    []string
}

// attemptsSettled is how many attempts before this one have all their ids settled. Each Recover that comes to its end shuts out those before it,
// so an older attempt can have escaped only if none of so many came so far. Of older ones those with an open transaction are settled: what a job
// has left over the years must not be asked about at each start.
const attemptsSettled = 16

// plan lists the ids: those of tokens, of this attempt's tasks, and what the brokers know of older attempts.
func (r *recovery) plan(ctx context.Context, tokens []sinks.Prepared) error {
	known := map[string]bool{}
	add := func(id string) {
		if !known[id] {
			known[id] = true
			r.ids = append(r.ids, id)
		}
	}
	for _, p := range tokens {
		tok, err := decodeToken(p.Token)
		if err != nil {
			return fmt.Errorf("task %d, epoch %d: %w", p.Task, p.Epoch, err)
		}
		r.tokens[tok.id] = append(r.tokens[tok.id], p)
		add(tok.id)
	}
	for task := range r.at.Tasks {
		for i := range namesKept {
			add(r.cfg.transactionalID(r.at, task, i))
		}
	}
	newest := r.at.Attempt
	found, err := r.cfg.cluster().TransactionalIDs(ctx, func(id string, open bool) bool {
		attempt, ours := attemptOf(id, r.cfg.idsOf(r.at))
		if ours {
			newest = max(newest, attempt)
		}
		return ours && (open || attempt+attemptsSettled >= r.at.Attempt)
	})
	if err != nil {
		return err
	}
	if newest > r.at.Attempt {
		return fmt.Errorf("%w; if the state directory is an older copy, start anew in an empty one", overtaken(newest))
	}
	for _, id := range found {
		add(id)
	}
	return nil
}

// idsAtOnce is how many ids are settled at the same time.
const idsAtOnce = 8

// run settles the ids, some at a time, and ends with the first error.
func (r *recovery) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done sync.WaitGroup
	slots := make(chan struct{}, idsAtOnce)
	for _, id := range r.ids {
		slots <- struct{}{}
		done.Go(func() {
			defer func() { <-slots }()
			t := r.cfg.transactions(id)
			defer t.Close()
			if err := r.settle(ctx, t); err != nil {
				cancel(err)
			}
		})
	}
	done.Wait()
	return context.Cause(ctx)
}

// settle publishes what the record names under an id, then shuts out older attempts and hands the new producer over.
func (r *recovery) settle(ctx context.Context, t *kafka.Transactions) error {
	for _, p := range r.tokens[t.ID()] {
		fault.Point("kafka/recover-commit")
		if err := r.cfg.publish(ctx, t, p.Token); err != nil {
			return fmt.Errorf("task %d, epoch %d: %w", p.Task, p.Epoch, err)
		}
	}
	if len(r.tokens[t.ID()]) > 0 {
		fault.Point("kafka/recover-committed")
	}
	attempt, ours := attemptOf(t.ID(), r.cfg.idsOf(r.at))
	if !ours {
		return nil // a token of the lineage that this one began from, which may go on: its writers are not ours to shut out
	}
	fault.Point("kafka/recover-init")
	p, err := t.Init(ctx, kafka.NoProducer, r.cfg.TransactionTimeout)
	fault.Point("kafka/recover-init-answered")
	if err == nil && attempt == r.at.Attempt {
		r.given.give(t.ID(), r.at.Attempt, p)
	}
	return err
}

// PreparedFor is how long prepared output can wait for its commit, with ExactlyOnce; behind that the brokers abort it. It has to be
// longer than two epochs and the longest time that the job may be away.
func (s Sink[T]) PreparedFor() time.Duration { return s.cfg.TransactionTimeout }

// checkTransactions reports brokers that cannot list transactions, and a transaction timeout that they refuse. A user who may not
// read their configuration is told by Recover.
func (c Config) checkTransactions(ctx context.Context) error {
	if _, err := c.cluster().TransactionalIDs(ctx, func(string, bool) bool { return false }); err != nil {
		return fmt.Errorf("kafka sink: exactly-once needs brokers of Kafka 3.0 or newer that list transactions: %w", err)
	}
	const setting = "transaction.max.timeout.ms"
	text, ok, err := c.cluster().BrokerSetting(ctx, setting)
	if err != nil || !ok {
		return err
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("kafka sink: brokers have %s of %q: %w", setting, text, err)
	}
	if most := time.Duration(ms) * time.Millisecond; c.TransactionTimeout > most {
		return fmt.Errorf("kafka sink: transaction timeout %v is longer than the brokers allow: lower Config.TransactionTimeout to %v, or raise their %s",
			c.TransactionTimeout, most, setting)
	}
	return nil
}
