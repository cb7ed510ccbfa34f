package actors

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/state"
)

// failure is the panic by which an engine error leaves a task's loop; the mailbox recovers it in one place.
type failure struct{ err error }

// operatorError is an error that is known to be an operator's.
type operatorError struct {
	operator string
	err      error
}

func (e operatorError) Error() string { return e.err.Error() }
func (e operatorError) Unwrap() error { return e.err }

// PanicError is a panic in a task with its stack, mostly that of a user's function. It fails the job's attempt, never the
// process.
type PanicError struct {
	Value any
	Stack string
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }

// failureOf is the error a recovered panic stands for.
func failureOf(r any, stack []byte) error {
	switch x := r.(type) {
	case failure:
		return x.err
	case state.Failure:
		return fmt.Errorf("state: %w", x.Err)
	case operators.UserError:
		return x
	case mailbox.SequenceError:
		return x
	}
	return &PanicError{Value: r, Stack: string(stack)}
}

// TaskError is a failure with the task it happened in, and the operator as far as it is known: inside a chain a record passes
// from function to function, and only the stack of a panic tells which one it was in.
type TaskError struct {
	Operator    string   // where it happened; empty when only the chain is known
	Operators   []string // of the chain, in order
	Key         string   // of the record in hand, as text, when the operator is keyed and said so
	Keyed       bool     // the next two are known: an operator of a keyed chain failed with a record, or a timer, in hand
	KeyHash     uint64   // of its key
	EventTime   time.Time
	Task, Tasks int
	Err         error
}

// taskError places an error of task t. Its loop has stopped for it.
func taskError(t *Task, err error) *TaskError {
	e := &TaskError{Operators: t.Operators, Task: t.Index, Tasks: t.Count, Err: err}
	var user operators.UserError
	var known operatorError
	var panicked *PanicError
	switch {
	case errors.As(err, &user):
		e.Operator, e.Key, e.Err = user.Operator, user.Key, user.Err
		e.inHand(t)
	case errors.As(err, &known):
		e.Operator = known.operator
	case errors.As(err, &panicked):
		e.inHand(t)
	}
	return e
}

// inHand notes what the task had in hand.
func (e *TaskError) inHand(t *Task) {
	if t.Keyed {
		e.Keyed, e.KeyHash, e.EventTime = true, t.Env.Hash, time.Unix(0, t.Env.TimeNS).UTC()
	}
}

func (e *TaskError) Error() string {
	var b strings.Builder
	if e.Operator != "" {
		fmt.Fprintf(&b, "run operator %q", e.Operator)
	} else {
		fmt.Fprintf(&b, "run chain %s", strings.Join(e.Operators, ", "))
	}
	if e.Key != "" {
		fmt.Fprintf(&b, ", key %q", e.Key)
	}
	fmt.Fprintf(&b, ", task %d/%d", e.Task, e.Tasks)
	if e.Keyed {
		fmt.Fprintf(&b, ", key hash %016x, event time %s", e.KeyHash, e.EventTime.Format(time.RFC3339Nano))
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap is what failed.
func (e *TaskError) Unwrap() error { return e.Err }

// unreachable says whether an error is a connection that broke or could not be made: the other side is away, and trying
// again is right for as long as it is.
func unreachable(err error) bool {
	var op *net.OpError
	var name *net.DNSError
	return errors.Is(err, sources.ErrDisconnected) || errors.As(err, &op) || errors.As(err, &name) || errors.Is(err, os.ErrDeadlineExceeded)
}
