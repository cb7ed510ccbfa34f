package millrace_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
)

// login is a record of the processor's tests.
type login struct {
	User string
	OK   bool
}

func (l login) who() string { return l.User }

var failed = millrace.NewTag[string]("failed")

// watch counts a user's logins in value, list and map state that live 30 s, and says so when none came for 10 s.
func watch(s *millrace.Setup[string, string]) millrace.Handler[string, login, string] {
	count := s.Value[int]("count", 30*time.Second)
	times := s.List[int64]("times", 30*time.Second)
	kinds := s.Map[bool, int]("kinds", 30*time.Second)
	deadline := s.Value[int64]("deadline", time.Hour)
	quiet := s.Timer("quiet", func(c *millrace.Context[string, string], at time.Time) error {
		n, _ := count.Get()
		c.Emit(fmt.Sprintf("%s quiet after %d", c.Key(), n))
		return nil
	})
	return func(c *millrace.Context[string, string], l login) error {
		if !l.OK {
			c.EmitTo(failed, l.User)
		}
		n, _ := count.Get()
		count.Set(n + 1)
		times.Append(c.Now().UnixNano())
		k, _ := kinds.Get(l.OK)
		kinds.Set(l.OK, k+1)
		if old, ok := deadline.Get(); ok {
			quiet.Delete(time.Unix(0, old))
		}
		at := c.Now().Add(10 * time.Second)
		deadline.Set(at.UnixNano())
		quiet.Set(at)
		c.Emit(fmt.Sprintf("%s %d/%d/%d timers %d", l.User, n+1, len(slices.Collect(times.All())), k+1, len(quiet.All())))
		return nil
	}
}

func TestProcessorStateTTLAndTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := make(chan login)
		var out, bad memory[string]
		j := millrace.NewJob("watch")
		alerts := j.From("logins", sources.Channel(in)).KeyBy(login.who).Process("watch", watch)
		alerts.To("alerts", &out)
		alerts.Side(failed).To("failed", &bad)
		q, err := j.Start(t.Context(), millrace.Config{Guarantee: millrace.AtMostOnce, Parallelism: 2})
		if err != nil {
			t.Fatal(err)
		}
		in <- login{"ann", true}
		<-time.After(4 * time.Second) // virtual
		in <- login{"bob", false}
		<-time.After(4 * time.Second)
		in <- login{"ann", true}
		<-time.After(7 * time.Second) // bob's timer fires 10 s after his login, ann's is still to come
		synctest.Wait()
		want := []string{"ann 1/1/1 timers 1", "bob 1/1/1 timers 1", "ann 2/2/2 timers 1", "bob quiet after 1"}
		if got := out.all(); !slices.Equal(got, want) {
			t.Fatalf("after 15 s: %q, want %q", got, want)
		}
		<-time.After(8 * time.Second) // 23 s: ann's timer has fired at 18 s
		in <- login{"ann", true}      // her count lives: it was set 15 s ago; her first list element, 23 s old, too
		<-time.After(29 * time.Second)
		in <- login{"ann", false} // 52 s: only what was appended 29 s ago is left, but the count was renewed then
		<-time.After(31 * time.Second)
		in <- login{"ann", true} // 83 s: everything has expired
		close(in)
		if err := q.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		want = append(want, "ann quiet after 2", "ann 3/3/3 timers 1", "ann quiet after 3", "ann 4/2/1 timers 1", "ann quiet after 4", "ann 1/1/1 timers 1")
		if got := out.all(); !slices.Equal(got, want) {
			t.Fatalf("at the end: %q, want %q", got, want)
		}
		if got := bad.all(); !slices.Equal(got, []string{"bob", "ann"}) {
			t.Fatalf("side output %q", got)
		}
	})
}
