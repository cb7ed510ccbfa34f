package postgressink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// errLost is a connection that ended or did not answer: what was asked of it may have been done or not.
var errLost = errors.New("connection lost")

// passing are the classes and codes of errors that a transaction may not meet again.
var passing = []string{
	"08",    // connection
	"40",    // rolled back: serialization, deadlock
	"53",    // disk full, out of memory, too many connections
	"57",    // shut down, cannot connect now, cancelled by a time-out of the server
	"58",    // the server's system: I/O
	"55P03", // a lock was not to be had
	"25P03", // idle in a transaction for too long
	"25006", // read-only: a standby, until it is promoted
	"0A000", // a plan of before the table was changed
}

// passes says whether a whole transaction that failed with err is worth another try.
func passes(err error) bool {
	if e, ok := databaseError(err); ok {
		for _, p := range passing {
			if strings.HasPrefix(e.Code, p) {
				return true
			}
		}
		return e.Code == uniqueViolation && (e.TableName == epochsTable || e.TableName == batchesTable) // the same epoch, by a transaction whose end was not known
	}
	var refused *pgconn.ConnectError
	return errors.Is(err, errLost) || errors.As(err, &refused)
}

const uniqueViolation = "23505"

const (
	retryMin = 10 * time.Millisecond
	retryMax = time.Second
)

// retrier does transactions on a connection that it opens when there is none, again and again until one is known to have ended.
type retrier[S interface{ close() }] struct {
	open     func(ctx context.Context) (S, error)
	cfg      Config // says how long
	session  S
	opened   bool
	attempts int // how often it has tried
}

// do calls f, a whole transaction, until it succeeds or fails for good. f must find out by itself whether it was done before.
func (r *retrier[S]) do(ctx context.Context, f func(ctx context.Context, s S) error) error {
	end, wait := time.Now().Add(r.cfg.RetryFor), r.cfg.pause
	for {
		err := r.try(ctx, f)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !passes(err):
			return err
		case time.Now().Add(wait).After(end):
			return fmt.Errorf("tried again for %v: %w", r.cfg.RetryFor, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, retryMax)
	}
}

// try is one transaction. After an error its connection is closed: nothing of it is left.
func (r *retrier[S]) try(ctx context.Context, f func(ctx context.Context, s S) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.TransactionTimeout)
	defer cancel()
	r.attempts++
	if !r.opened {
		if r.session, err = r.open(ctx); err != nil {
			return err
		}
		r.opened = true
	}
	if err = f(ctx, r.session); err != nil {
		r.close()
	}
	return err
}

func (r *retrier[S]) close() {
	if r.opened {
		r.session.close()
		r.opened = false
	}
}
