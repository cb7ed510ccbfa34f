package barrier_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
)

func TestCoordinatorStories(t *testing.T) {
	stories(t, "cut_*.txt", func() machine { return &coordinatorMachine{} })
}

// coordinatorMachine knows the inputs of a Coordinator. Times are milliseconds; at= moves the clock, which else stands.
type coordinatorMachine struct {
	c  *barrier.Coordinator
	at int64
}

func (m *coordinatorMachine) run(c command) ([]string, error) {
	const ms = int64(time.Millisecond)
	m.at = c.num("at", m.at)
	now, task, epoch := m.at*ms, int(c.num("task", 0)), flow.Epoch(c.num("epoch", 0))
	switch c.name {
	case "coordinator":
		m.c = barrier.NewCoordinator(barrier.CoordinatorConfig{
			Tasks: int(c.num("tasks", 1)), First: flow.Epoch(c.num("first", 0)), FailuresMax: int(c.num("failures", 0)),
			EveryNS: c.num("every", 0) * ms, TimeoutNS: c.num("timeout", 0) * ms,
			UnalignAfterNS: c.num("unalign", 0) * ms, Triggered: c.num("triggered", 0) > 0,
			Batch: c.num("batch", 0), TriggerNS: c.num("trigger", 0) * ms,
			BatchConfig: barrier.BatchConfig{
				Batches: c.num("batches", 0) > 0, Planned: c.num("planned", 0) > 0, BatchesMax: c.num("max", 0),
				UntilNothing: c.num("untilnothing", 0) > 0, Unrecorded: c.num("unrecorded", 0) > 0,
			},
		}, now)
		return m.answer(nil), nil
	case "tick":
		return m.answer(m.c.Tick(now)), nil
	case "ack":
		return m.answer(m.c.Ack(task, epoch, now)), nil
	case "recorded":
		return m.answer(m.c.Recorded(epoch, reason(c), now)), nil
	case "ended":
		return m.answer(m.c.Ended(task, now)), nil
	case "planned":
		return m.answer(m.c.Planned(c.num("something", 1) > 0, now)), nil
	case "batchread":
		return m.answer(m.c.BatchRead(now)), nil
	case "savepoint":
		return m.answer(m.c.Savepoint(now)), nil
	case "stopwithsavepoint":
		return m.answer(m.c.StopWithSavepoint(now)), nil
	case "stop":
		return m.answer(m.c.Stop(now)), nil
	}
	return nil, fmt.Errorf("unknown command %q", c.name)
}

// reason is the error that a command's err= asks for; "fenced" is the one that ends an attempt.
func reason(c command) error {
	switch s := c.args["err"]; s {
	case "":
		return nil
	case "fenced":
		return fmt.Errorf("slot 7 is taken: %w", barrier.ErrFenced)
	default:
		return errors.New(strings.ReplaceAll(s, "_", " "))
	}
}

func (m *coordinatorMachine) answer(do []barrier.Do) []string {
	next := "never"
	if ns := m.c.NextNS(); ns != math.MaxInt64 {
		next = fmt.Sprint(time.Duration(ns))
	}
	lines := []string{}
	for _, d := range do {
		lines = append(lines, d.String())
	}
	if len(do) == 0 {
		lines = append(lines, "wait")
	}
	lines[len(lines)-1] += "    (next tick: " + next + ")"
	return lines
}

func TestCoordinatorNeedsTasks(t *testing.T) {
	defer func() {
		if r := recover(); r == nil {
			t.Fatal("a coordinator without tasks was made")
		}
	}()
	barrier.NewCoordinator(barrier.CoordinatorConfig{}, 0)
}

// A clock near the end of its range must not wrap a deadline into the past.
func TestCoordinatorFarClock(t *testing.T) {
	now := int64(math.MaxInt64 - 5)
	c := barrier.NewCoordinator(barrier.CoordinatorConfig{Tasks: 1, EveryNS: 10}, now)
	if got := c.NextNS(); got != math.MaxInt64 {
		t.Fatalf("next tick at %d, want never", got)
	}
	c.Stop(now)
	if do := c.Tick(now); len(do) != 0 {
		t.Fatalf("epoch in flight for no time: %v", do)
	}
}

func TestCoordinatorNamesFenced(t *testing.T) {
	c := barrier.NewCoordinator(barrier.CoordinatorConfig{Tasks: 1}, 0)
	c.Stop(0)
	c.Ack(0, 1, 0)
	do := c.Recorded(1, fmt.Errorf("take slot 7: %w", barrier.ErrFenced), 0)
	if len(do) != 1 || do[0].Kind != barrier.Fail || !errors.Is(do[0].Err, barrier.ErrFenced) {
		t.Fatalf("got %v, want one Fail that wraps ErrFenced", do)
	}
}
