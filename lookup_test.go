package millrace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks"
)

// desk answers questions after as many seconds as the user's name is long, times ten for a "slow" one, and counts.
type desk struct {
	mu                  sync.Mutex
	open, most, refuses int
	asked               []string
}

func (d *desk) ask(ctx context.Context, v visit) (string, error) {
	d.mu.Lock()
	d.open++
	d.most = max(d.most, d.open)
	d.asked = append(d.asked, fmt.Sprint(v.User, v.At))
	refuse := d.refuses > 0
	d.refuses--
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.open--
		d.mu.Unlock()
	}()
	if refuse {
		return "", errors.New("the desk is closed")
	}
	wait := time.Duration(len(v.User)) * time.Second
	if strings.HasPrefix(v.User, "slow") {
		wait *= 10
	}
	select {
	case <-time.After(wait):
		return fmt.Sprint(v.User, v.At), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// lookups runs a look-up over splits, in one task.
func lookups(t *testing.T, s splits, d *desk, l millrace.Lookup, dir string) (q *millrace.Query, out, failed, late *sinks.Collector[string]) {
	out, failed, late = sinks.Collect[string](), sinks.Collect[string](), sinks.Collect[string]()
	j := millrace.NewJob("lookups")
	answers := j.From("visits", s).EventTime("clock", millrace.Watermark{}, visit.when).AsyncLookup("ask", l, d.ask)
	answers.To("out", out)
	answers.Side(millrace.Unanswered[visit]()).Map("name", visit.who).To("failed-out", failed)
	answers.Map("again", func(s string) visit { return visit{s, 0} }).KeyBy(visit.who).
		Process("late", func(*millrace.Setup[string, string]) millrace.Handler[string, visit, string] {
			return func(c *millrace.Context[string, string], v visit) error {
				if c.Late() {
					c.Emit(v.User)
				}
				return nil
			}
		}).To("late-out", late)
	q, err := j.Start(t.Context(), millrace.Config{StateDir: dir, CheckpointEvery: time.Hour, Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	return q, out, failed, late
}

func visits(users ...string) (h handed) {
	for i, u := range users {
		h.visits = append(h.visits, visit{u, int64(i)})
	}
	return h
}

func TestLookupOrders(t *testing.T) {
	for _, c := range []struct {
		name string
		l    millrace.Lookup
		most int
		want []string
	}{
		{"ordered", millrace.Lookup{Timeout: -1}, 4, []string{"slow0", "ccc1", "a2", "bb3"}},
		{"unordered", millrace.Lookup{Timeout: -1, Unordered: true}, 4, []string{"a2", "bb3", "ccc1", "slow0"}},
		{"two at once", millrace.Lookup{Timeout: -1, Unordered: true, Concurrency: 2}, 2, []string{"ccc1", "a2", "bb3", "slow0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := new(desk), splits{"s": make(chan handed, 9)}
				q, out, _, late := lookups(t, s, d, c.l, "")
				s["s"] <- visits("slow", "ccc", "a", "bb")
				s["s"] <- handed{visits: []visit{{"z", 1000}}}
				close(s["s"])
				if err := q.Await(t.Context()); err != nil {
					t.Fatal(err)
				}
				got := slices.DeleteFunc(out.Values(), func(s string) bool { return s == "z1000" })
				if !slices.Equal(got, c.want) || d.most > c.most+1 || d.most < c.most {
					t.Errorf("got %q, at most %d at once; want %q, %d", got, d.most, c.want, c.most)
				}
				if late.Len() > 0 {
					t.Errorf("the watermark passed unanswered inputs: %q", late.Values())
				}
			})
		})
	}
}

func TestLookupTriesAgainAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := &desk{refuses: 2}, splits{"s": make(chan handed, 9)}
		q, out, failed, _ := lookups(t, s, d, millrace.Lookup{Timeout: 5 * time.Second, Retries: 2, Concurrency: 1}, "")
		s["s"] <- visits("a", "slow")
		close(s["s"])
		if err := q.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := out.Values(); !slices.Equal(got, []string{"a0"}) {
			t.Errorf("answers %q, want that of a, at the third try", got)
		}
		if got := failed.Values(); !slices.Equal(got, []string{"slow"}) {
			t.Errorf("unanswered %q, want slow, timed out", got)
		}
		if want := []string{"a0", "a0", "a0", "slow1", "slow1", "slow1"}; !slices.Equal(d.asked, want) {
			t.Errorf("asked %q, want %q", d.asked, want)
		}
	})
}

func TestLookupThatFailsFailsTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := splits{"s": make(chan handed, 9)}
		j := millrace.NewJob("lookups")
		j.From("visits", s).AsyncLookup("ask", millrace.Lookup{}, (&desk{refuses: 99}).ask).To("out", sinks.Discard[string]())
		q, err := j.Start(t.Context(), millrace.Config{RestartsMax: -1, Parallelism: 1})
		if err != nil {
			t.Fatal(err)
		}
		s["s"] <- visits("a")
		err = q.Await(t.Context())
		if err == nil || !strings.Contains(err.Error(), `operator "ask"`) || !strings.Contains(err.Error(), "the desk is closed") {
			t.Fatalf("error %v, want one that names the operator and the answer", err)
		}
	})
}

// What is not answered when the job stops is in the snapshot, is asked again, and is answered once; at another parallelism too.
func TestLookupAsksAgainAfterARestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d, s := new(desk), splits{"s": make(chan handed, 9)}
		q, out, _, _ := lookups(t, s, d, millrace.Lookup{Timeout: -1}, dir)
		s["s"] <- visits("a", "slow", "bb")
		<-time.After(10 * time.Second) // bb is answered, but waits for slow
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := out.Values(); !slices.Equal(got, []string{"a0"}) {
			t.Fatalf("before the stop: %q, want a's answer", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		d, s := new(desk), splits{"s": make(chan handed)}
		q, out, _, late := lookups(t, s, d, millrace.Lookup{Timeout: -1}, dir)
		close(s["s"])
		if err := q.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := out.Values(); !slices.Equal(got, []string{"slow1", "bb2"}) || late.Len() > 0 {
			t.Fatalf("after the restart: %q, late %q; want slow1 and bb2, none late", got, late.Values())
		}
	})
}
