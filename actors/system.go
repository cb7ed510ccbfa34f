package actors

import (
	"io"
	"log/slog"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// system is the process's one actor system: a second would cost 3 MB and 65,000 allocations, and gain nothing.
// Its own log is discarded: what matters of it reaches the job's log with the job's names.
var system = sync.OnceValue(func() *actor.ActorSystem {
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }),
		actor.WithDeadLetterThrottleInterval(1), // a dead letter starts a goroutine that waits this long, for the log
	)
})
