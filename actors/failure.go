package actors

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/state"
)

// failure is the panic by which an engine error leaves a task's loop; the mailbox recovers it in one place.
type failure struct{ err error }

// PanicError is a panic in a user's function, with its stack. It fails the job's attempt, never the process.
type PanicError struct {
	Value any
	Stack string
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("panic in user function: %v\n%s", e.Value, e.Stack)
}

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

// TaskError is a failure with the task it happened in.
type TaskError struct {
	Chain       string // the chain's head operator
	Task, Tasks int
	KeyHash     uint64
	Err         error
}

func (e *TaskError) Error() string {
	return fmt.Sprintf("run operator %q, task %d/%d, key hash %016x: %v", e.Chain, e.Task, e.Tasks, e.KeyHash, e.Err)
}

// Unwrap is what failed.
func (e *TaskError) Unwrap() error { return e.Err }

// errStopped says that a wait ended because the job was stopped.
var errStopped = errors.New("the job was stopped")
