package millracetest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/state"
)

var t *testing.T // the parameter of the test function

type order struct{ ID, User string }

func (o order) id() string { return o.ID }

// unique passes an order once a day.
func unique(orders millrace.Stream[order]) millrace.Stream[order] {
	return orders.KeyBy(order.id).Process("unique", func(s *millrace.Setup[string, order]) millrace.Handler[string, order, order] {
		seen := s.Value[bool]("seen", 24*time.Hour)
		return func(c *millrace.Context[string, order], o order) error {
			if _, again := seen.Get(); !again {
				seen.Set(true)
				c.Emit(o)
			}
			return nil
		}
	})
}

// One call runs the topology under all variants and gives the output to compare.
func ExampleRun() {
	a, b := order{ID: "1"}, order{ID: "2"}
	got := millracetest.Run(t, unique, a, a, b)
	if want := []order{a, b}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func ExampleRunTable() {
	got := millracetest.RunTable(t, func(orders millrace.Stream[order]) millrace.Table[string, int64] {
		return orders.KeyBy(func(o order) string { return o.User }).Count("orders", state.Forever)
	}, order{"1", "ann"}, order{"2", "bob"}, order{"3", "ann"})
	if got["ann"] != 2 || got["bob"] != 1 {
		t.Fatalf("got %v, want two orders of ann and one of bob", got)
	}
}

// A script moves time, and looks at output and state between its actions.
func ExamplePlay() {
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[order](), s.Output[order]()
		s.Build(func(j *millrace.Job) { unique(j.From("orders", in)).To("out", out) })

		in.Send(order{ID: "1"}, order{ID: "1"})
		out.Want(order{ID: "1"})

		s.Advance(25 * time.Hour)
		if seen := s.State[string, bool]("unique", "seen"); len(seen) > 0 {
			s.T().Errorf("still remembered: %v", seen)
		}
		in.Send(order{ID: "1"})
		out.Want(order{ID: "1"})
	})
}

// The examples are true.
func TestExamples(on *testing.T) {
	t = on
	ExampleRun()
	ExampleRunTable()
	ExamplePlay()
}
