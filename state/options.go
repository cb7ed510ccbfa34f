package state

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// Clock is the engine's clock, written by the task's loop once a batch. It is the only time that state ever sees.
type Clock struct {
	NowNS       int64 // processing time, nanoseconds since the Unix epoch
	WatermarkNS int64 // event time: no older record is expected
}

// Forever as a time to live keeps an entry until it is removed.
const Forever time.Duration = 0

// Options describe the store of one task.
type Options struct {
	Groups     flow.GroupRange // the key groups this task owns
	KeyGroups  int             // key groups of the lineage, a power of two; 0: flow.DefaultKeyGroups
	Clock      *Clock          // nil: a clock that stands at 0
	Bytes      ByteStores      // where entries live that do not fit the cache; nil: all live state is in memory
	CacheBytes int64           // bound of the entries kept in memory in front of Bytes; 0: DefaultCacheBytes
	Volatile   bool            // no snapshot will be taken (at-most-once), so changes are not recorded; Freeze panics
}

// DefaultCacheBytes bounds the cache in front of byte stores, for each task.
const DefaultCacheBytes = 64 << 20

func (o Options) withDefaults() Options {
	if o.KeyGroups == 0 {
		o.KeyGroups = flow.DefaultKeyGroups
	}
	if o.Clock == nil {
		o.Clock = new(Clock)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	return o
}

// Failure is the panic of a table or handle whose entry could not be read or written. The task recovers it in one place
// and fails with Err; the job then restores. Handles return no error because of it.
type Failure struct{ Err error }

func (f Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f Failure) Unwrap() error { return f.Err }

func fail(format string, args ...any) { panic(Failure{fmt.Errorf(format, args...)}) }

var errNoName = errors.New("state has no name")

func checkTTL(operator, name string, ttl time.Duration) error {
	if ttl < 0 {
		return fmt.Errorf("operator %q: state %q: time to live is %v, want at least 0 (state.Forever keeps entries)", operator, name, ttl)
	}
	return nil
}
