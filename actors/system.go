package actors

import (
	"io"
	"log/slog"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
)

// system is the process's one actor system: a second would cost 3 MB and 65,000 allocations, and gain nothing.
// Its own log is discarded: what matters of it reaches the job's log with the job's names. Its event stream is ours: the library's subscribers
// only log, and start a goroutine for each dead letter to throttle that log, which a bubble of synctest never sees end.
var system = sync.OnceValue(func() *actor.ActorSystem {
	s := actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }),
	)
	s.EventStream = eventstream.NewEventStream()
	s.EventStream.Subscribe(func(event any) { answerWatch(s, event) })
	return s
})

// answerWatch tells who watches an actor that has stopped already that it has: without it the watcher would wait for ever.
func answerWatch(s *actor.ActorSystem, event any) {
	letter, ok := event.(*actor.DeadLetterEvent)
	if !ok {
		return
	}
	watch, ok := letter.Message.(*actor.Watch)
	if !ok {
		return
	}
	if watcher, ok := s.ProcessRegistry.Get(watch.Watcher); ok {
		watcher.SendSystemMessage(watch.Watcher, &actor.Terminated{Who: letter.PID, Why: actor.TerminatedReason_NotFound})
	}
}
