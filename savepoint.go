package millrace

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/checkpoint/dirstore"
	"github.com/millrace-io/millrace/flow"
)

// Savepoint makes a copy of the job's state in dir, which must not be there or be empty, while the job goes on: of an epoch that is cut
// now, with everything that a start needs. It returns when the copy is durable and every byte of it has been checked, and gives its epoch.
//
// The savepoint is its owner's: Millrace never deletes or changes it. On the file system of Config.StateDir its files are hard links,
// which cost no space as long as the job still needs them; elsewhere they are copies. A job starts from it with Config.FromSavepoint.
//
// Nothing in a savepoint waits to be published: all output up to its epoch is public when Savepoint returns, and whoever
// starts from it goes on behind that. Under micro-batch triggers it is taken between two batches, in real time it ends one.
//
// After an error there is no savepoint, and the job goes on: the epoch was abandoned, the attempt failed, or the job was not running.
func (q *Query) Savepoint(ctx context.Context, dir string) (flow.Epoch, error) {
	e, err := q.savepoint(ctx, dir, false)
	if err != nil {
		return 0, fmt.Errorf("savepoint of job %q: %w", q.job.name, err)
	}
	return e, nil
}

// StopWithSavepoint is Savepoint of the last epoch: it ends the query as Stop does, at the savepoint. Windows and state stay open, no
// final watermark is given. When the savepoint cannot be taken the query ends all the same, and the next start goes on from the state directory.
func (q *Query) StopWithSavepoint(ctx context.Context, dir string) (flow.Epoch, error) {
	e, err := q.savepoint(ctx, dir, true)
	q.run.Stop()
	if ended := q.Await(ctx); ended != nil {
		return 0, errors.Join(ended, err)
	}
	if err != nil {
		return 0, fmt.Errorf("savepoint of job %q: %w", q.job.name, err)
	}
	return e, nil
}

func (q *Query) savepoint(ctx context.Context, dir string, stop bool) (flow.Epoch, error) {
	if q.log == nil {
		return 0, errors.New("at-most-once records no epochs, so there is nothing to copy")
	}
	to, err := dirstore.MakeSavepoint(dir)
	if err != nil {
		return 0, err
	}
	e, err := q.run.Savepoint(ctx, to, stop)
	if err != nil {
		return 0, errors.Join(err, to.Discard())
	}
	return e, to.Close()
}
