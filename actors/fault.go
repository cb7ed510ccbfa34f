package actors

import (
	"errors"
	"time"

	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// farError is an error of another process. Of what it was only its text is left, and what decides whether the job tries again.
type farError struct {
	text                string
	unreachable, fenced bool
}

func (e *farError) Error() string { return e.text }

// Is implements the interface of errors.Is.
func (e *farError) Is(target error) bool {
	return e.unreachable && target == sources.ErrDisconnected || e.fenced && target == sinks.ErrFenced //nolint:errorlint // Is compares
}

// faultOf is an error for the wire, nil for none.
func faultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	f := &Fault{Text: err.Error(), Unreachable: unreachable(err), Fenced: fenced(err)}
	var t *TaskError
	if errors.As(err, &t) {
		f.Text, f.OfTask = t.Err.Error(), true
		f.Operator, f.Operators, f.Key, f.Keyed, f.KeyHash = t.Operator, t.Operators, t.Key, t.Keyed, t.KeyHash
		f.Task, f.Tasks = t.Task, t.Tasks
		if t.Keyed {
			f.EventTimeNS = t.EventTime.UnixNano()
		}
	}
	return f
}

// error is the error that came over the wire, nil for none.
func (f *Fault) error() error {
	if f == nil {
		return nil
	}
	err := &farError{f.Text, f.Unreachable, f.Fenced}
	if !f.OfTask {
		return err
	}
	t := &TaskError{Operator: f.Operator, Operators: f.Operators, Key: f.Key, Keyed: f.Keyed, KeyHash: f.KeyHash, Task: f.Task, Tasks: f.Tasks, Err: err}
	if f.Keyed {
		t.EventTime = time.Unix(0, f.EventTimeNS).UTC()
	}
	return t
}
