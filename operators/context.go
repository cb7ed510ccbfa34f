package operators

import (
	"errors"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/state"
)

// Handler processes one record with the state and timers of its key. An error fails the job's attempt, which restores.
type Handler[K comparable, T, U any] func(c *Context[K, U], v T) error

// Context is what a handler may know and do. It is valid during the call only.
type Context[K comparable, U any] struct {
	env   *Env
	at    *state.At[K]
	next  func(U)
	sides map[string]any // tag name to func(S)
	// withdraw takes the key's row back; nil in a processor that makes a stream.
	withdraw func()
}

// Key is the key in hand.
func (c *Context[K, U]) Key() K { return c.at.Key }

// Time is the event time of the record in hand, or of the timer that fires.
func (c *Context[K, U]) Time() time.Time { return time.Unix(0, c.env.TimeNS) }

// Now is the engine's processing time: the same for a replay, one reading per batch.
func (c *Context[K, U]) Now() time.Time { return time.Unix(0, c.env.Clock.NowNS) }

// Watermark is the event time before which no record is expected any more, the zero time before there is one.
func (c *Context[K, U]) Watermark() time.Time {
	if c.env.Clock.WatermarkNS == flow.NoWatermarkNS {
		return time.Time{}
	}
	return time.Unix(0, c.env.Clock.WatermarkNS)
}

// Final says that the input has truly ended: the watermark is the last there is.
func (c *Context[K, U]) Final() bool { return c.env.Clock.WatermarkNS == flow.FinalWatermarkNS }

// Late says whether the record in hand is behind the watermark.
func (c *Context[K, U]) Late() bool { return c.env.TimeNS < c.env.Clock.WatermarkNS }

// Emit sends v on, with the event time of the record in hand. In a processor that makes a table, v replaces the key's row.
func (c *Context[K, U]) Emit(v U) { c.next(v) }

// Withdraw takes the key's row back, if it has one. It is for a processor that makes a table (Keyed.ProcessTable).
func (c *Context[K, U]) Withdraw() {
	if c.withdraw == nil {
		panic(errNoTable)
	}
	c.withdraw()
}

var errNoTable = errors.New("Withdraw in a processor that makes a stream, which has no rows to take back; use ProcessTable")

// EmitTo sends v to the side output tag. It is dropped when nothing reads the side output.
func (c *Context[K, U]) EmitTo[S any](tag Tag[S], v S) {
	if f, ok := c.sides[tag.name].(func(S)); ok {
		f(v)
	}
}

// Tag names a side output of records of type S.
type Tag[S any] struct{ name string }

// NewTag makes a tag. Two tags of one name and type are the same.
func NewTag[S any](name string) Tag[S] { return Tag[S]{name} }

// Name is the tag's name.
func (t Tag[S]) Name() string { return t.name }
