package actors

import (
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// A message to an actor that has ended leaves no goroutine in the bubble of who sent it.
func TestDeadLettersStartNothing(t *testing.T) {
	system() // it is the process's: not of the bubble
	synctest.Test(t, func(*testing.T) {
		system().Root.Send(system().NewLocalPID("nobody"), "too late")
	})
}

// Who watches an actor that has ended already hears of its end.
func TestWatchOfTheEnded(t *testing.T) {
	heard := make(chan *actor.PID, 1)
	watcher := system().Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		switch m := c.Message().(type) {
		case *actor.Started:
			c.Watch(system().NewLocalPID("nobody"))
		case *actor.Terminated:
			heard <- m.Who
		}
	}))
	if who := <-heard; who.Id != "nobody" {
		t.Fatalf("heard of %s, want nobody", who.Id)
	}
	if err := system().Root.StopFuture(watcher).Wait(); err != nil {
		t.Fatal(err)
	}
}
