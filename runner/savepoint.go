package runner

import (
	"context"
	"fmt"
	"os"

	"github.com/millrace-io/millrace"
)

// stopsWithSavepoint lets the end of ctx stop the query at a savepoint, when one is asked for. saved is called when the query has ended
// and says why there is none although there should be.
func (o *Options) stopsWithSavepoint(ctx context.Context, q *millrace.Query, s screen) (saved func() error) {
	if o.stopSavepoint == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	undo := context.AfterFunc(ctx, func() {
		e, err := q.StopWithSavepoint(context.WithoutCancel(ctx), o.stopSavepoint)
		if err == nil {
			s.say(fmt.Sprintf("%s: savepoint of epoch %d in %s", o.name, e, o.stopSavepoint))
		}
		done <- err
	})
	return func() error {
		if undo() { // it ended by itself
			return nil
		}
		return <-done
	}
}

// empty says whether nothing is lost or mixed up in a directory that is to be written.
func empty(dir string) bool {
	if dir == "" {
		return true
	}
	entries, err := os.ReadDir(dir)
	return os.IsNotExist(err) || err == nil && len(entries) == 0
}
