package actors

import (
	"context"
	"errors"
)

// Link is one end of what a coordinator and a worker tell each other. Envelopes arrive in the order sent, each once; when that cannot be
// kept any more the link fails, and with it all that the worker runs for the coordinator. Send and Room may be called from any goroutine,
// Receive from one.
type Link interface {
	// Name says who is at the other end.
	Name() string
	// Send hands an envelope over. It never waits; what e refers to is the caller's again when it returns. What is sent when the link has failed is lost.
	Send(e *Envelope)
	// Room waits until little of what was sent is on its way. It is for who sends much.
	Room(ctx context.Context) error
	// Receive waits for the next envelope. An error is the end of the link, and says why.
	Receive() (*Envelope, error)
	// Close ends the link: Receive returns ErrLinkClosed here, and at the other end an error that says why; nil: nothing went wrong.
	Close(why error)
}

var (
	// ErrLinkClosed is what Receive gives at the end that was closed.
	ErrLinkClosed = errors.New("link was closed")
	// ErrLinkEnded is what it gives at the other end.
	ErrLinkEnded = errors.New("the other end has closed the link")
)
