package checkpoint

import (
	"context"
	"errors"
	"io"
)

// Store holds the named objects of one lineage. Names are made by this package from [a-z0-9-]. All methods may be
// called from several goroutines. A Store belongs to the one who opened it: a Log does not close it.
//
// Besides a directory, a bucket with conditional put or a table with a primary key can implement it.
type Store interface {
	// Create makes the object name of what write writes. When it returns nil the object is complete and durable; at no
	// time can a reader see a part of it. It returns ErrExists, and leaves the object alone, when there is one of that
	// name, and write's own error as it is. After ErrExists or an error of write nothing was made; after any other
	// error the object may exist or not. A failed sync must not be tried again on the same file: the system may have
	// thrown the data away and report success.
	Create(ctx context.Context, name string, write func(io.Writer) error) error

	// Open opens an object for reading. It returns ErrNotFound when there is none.
	Open(ctx context.Context, name string) (Object, error)

	// Replace puts data in the place of old, atomically: the object is one or the other, also after a crash. A nil old
	// means that there must be no object yet. It returns ErrExists when the content is not old. A first
	// content (old is nil) is durable when Replace returns, a later one at the latest when the next Create returns.
	Replace(ctx context.Context, name string, old, data []byte) error

	// Delete removes objects. One that does not exist is no error.
	Delete(ctx context.Context, names ...string) error

	// List names all objects, in any order. It serves cleaning and error texts, never finding the newest epoch.
	List(ctx context.Context) ([]string, error)
}

// SpaceChecker is a Store that knows how much space it has left.
type SpaceChecker interface {
	// CheckSpace is asked before a file of at most about so many bytes is written, those of slots and the head excepted, which are
	// small and must still find room when all else is refused. It returns ErrNoSpace when the file should not be written.
	CheckSpace(bytes int64) error
}

// checkSpace asks a store that knows.
func checkSpace(s Store, bytes int64) error {
	if c, ok := s.(SpaceChecker); ok {
		return c.CheckSpace(bytes)
	}
	return nil
}

// Linker is a Store that can share immutable objects with another.
type Linker interface {
	// Link makes the object name of from an object of the store, without copying. It is durable when the next Create returns. It returns
	// ErrExists when there is one, and errors.ErrUnsupported when the two cannot share: then it must be copied.
	Link(ctx context.Context, from Store, name string) error
}

// Object is an open immutable object. Close releases it.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

var (
	// ErrNotFound is returned by a Store for an object that does not exist.
	ErrNotFound = errors.New("object not found")
	// ErrExists is returned by a Store when an object of that name, or another content than expected, is there.
	ErrExists = errors.New("object exists")

	// ErrNoSpace says that a file was not written because too little disk space would be left. The log is sound: once there is space,
	// epochs can be completed again.
	ErrNoSpace = errors.New("too little disk space")

	// ErrLocked says that another process has the state open. Nothing was changed.
	ErrLocked = errors.New("state is in use")
	// ErrTaken says that another run of the job took the slot. This run must stop and commit nothing.
	ErrTaken = errors.New("slot taken by another run of the job")
	// ErrFenced says that a newer run of the job has gone past this one. This run must stop and commit nothing.
	ErrFenced = errors.New("fenced by a newer run of the job")
	// ErrDamaged says that a file of the newest complete epoch is missing or is not what was written.
	ErrDamaged = errors.New("checkpoint is damaged")
	// ErrVersion says that a file was written in a format this build does not know.
	ErrVersion = errors.New("unknown format version")
	// ErrOrigin says that the lineage was not begun from the savepoint in Options.From. Nothing was changed.
	ErrOrigin = errors.New("the state was not begun from this savepoint")
	// ErrPlan says that the checkpoint was made by another topology.
	ErrPlan = errors.New("checkpoint of another topology")
)
