package wire

import (
	"errors"

	"github.com/millrace-io/millrace/flow"
)

// What ends a lane. The errors that wrap these name the lane and the numbers.
var (
	// ErrLost: a frame did not come.
	ErrLost = errors.New("frame lost")
	// ErrRepeated: a frame came again with other content, or so late that nobody can say.
	ErrRepeated = errors.New("frame repeated with other content")
	// ErrDamaged: bytes are no frame, or not those that were sent.
	ErrDamaged = errors.New("frame damaged")
	// ErrVersion: the other end is of a build that speaks another version of the protocol.
	ErrVersion = errors.New("frame of another protocol version")
	// ErrForeign: a frame of another lane, or of a second process at the other end.
	ErrForeign = errors.New("frame of another lane")
	// ErrAttempt: the other end is of a newer attempt, so this one is over.
	ErrAttempt = errors.New("frame of a newer attempt")
	// ErrTooLarge: a batch is larger than a frame may be.
	ErrTooLarge = errors.New("batch too large")
	// ErrCredit: the sender sent more than it was granted.
	ErrCredit = errors.New("frame beyond the credit")
	// ErrSilent: the receiver answers no probes.
	ErrSilent = errors.New("no answer")
)

// Lane says which lane frames belong to. Both ends have the same.
type Lane struct {
	Name    string // in errors; frames carry its hash
	Attempt flow.Attempt
}
