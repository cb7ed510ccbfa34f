package actors

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// overTheWire is what the other end gets.
func overTheWire(t *testing.T, e Envelope) *Envelope {
	t.Helper()
	got, err := DecodeEnvelope(EncodeEnvelope(nil, &e))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Every control message of a task means the same on a worker.
func TestControlMessagesCrossTheWire(t *testing.T) {
	task := newTask("out", 1)
	task.number, task.Attempt = 3, 7
	ends := batchEnds{"a": {flow.Position{1, 2}, false}, "b": {flow.Position{}, true}}
	splits := []assigned{
		{split: flow.Split{ID: "new", Start: flow.Position{9}}},
		{split: flow.Split{ID: "old"}, position: flow.Position{4, 5}, finished: true, hasWatermark: true, watermarkNS: -12},
		{split: flow.Split{ID: "empty"}, position: flow.Position{}},
	}
	for _, msg := range []any{
		trigger{flow.BarrierOf(5, flow.NoBatch), false},
		trigger{flow.BarrierOf(6, 0), true},
		unalign{7, flow.NoBatch},
		unalign{7, 3},
		planBatch{ask: 1, most: 20, targets: batchEnds{}},
		planBatch{ask: 2, whole: true, fix: true, targets: batchEnds{}},
		planBatch{ask: 3, fixed: true, targets: ends},
		readBatch{ends},
		flowOn{},
		addSplits{splits},
		finish{true},
		finish{false},
		completed{8, true},
		completed{9, false},
	} {
		e, ok := controlMessage(task, msg)
		if !ok {
			t.Fatalf("%T stays here", msg)
		}
		got := overTheWire(t, e)
		if got.Attempt != 7 || got.Task != 3 {
			t.Fatalf("%T: attempt %d, task %d", msg, got.Attempt, got.Task)
		}
		if back := got.control(); !reflect.DeepEqual(back, msg) {
			t.Errorf("%T: got %+v, want %+v", msg, back, msg)
		}
	}
	if _, ok := controlMessage(task, recycle{}); ok {
		t.Error("memory of this process is sent to another")
	}
}

// Every report of a task means the same to its job.
func TestReportsCrossTheWire(t *testing.T) {
	task := newTask("out", 1)
	task.number = 3
	for _, msg := range []any{
		acked{3, 5, []delta.Block{{Operator: "o", State: "s", Group: 9, Count: 2, Data: []byte("xy")}}, 77},
		ended{3},
		taskFinished{3},
		published{3, 6},
		batchPlanned{ask: 2, source: "src", something: true, ends: batchEnds{"a": {flow.Position{1}, true}}, targets: batchEnds{}},
		batchRead{},
		connection{"src", "a", nil},
	} {
		e := reportMessage(task, msg)
		if back := overTheWire(t, e).report(task); !reflect.DeepEqual(back, msg) {
			t.Errorf("%T: got %+v, want %+v", msg, back, msg)
		}
	}
}

// An error keeps its text and what follows from it; a task's failure keeps where it was.
func TestErrorsCrossTheWire(t *testing.T) {
	task := newTask("out", 1)
	lost := errors.Join(errors.New("read"), sources.ErrDisconnected)
	c := overTheWire(t, reportMessage(task, connection{"src", "a", lost})).report(task).(connection)
	if c.err.Error() != lost.Error() || !unreachable(c.err) || fenced(c.err) {
		t.Errorf("%v, unreachable %v", c.err, unreachable(c.err))
	}
	n := overTheWire(t, reportMessage(task, notClosed{"out", 0, sinks.ErrFenced})).report(task).(notClosed)
	if !fenced(n.err) || unreachable(n.err) || !errors.Is(n.err, sinks.ErrFenced) {
		t.Errorf("%v, fenced %v", n.err, fenced(n.err))
	}
	want := &TaskError{
		Operator: "count", Operators: []string{"count", "out"}, Key: "k", Keyed: true, KeyHash: 9, EventTime: time.Unix(5, 6).UTC(), Task: 1, Tasks: 4, Err: errors.New("boom"),
	}
	e := overTheWire(t, Envelope{Kind: MsgBroken, Failed: faultOf(want)})
	var got *TaskError
	if err := e.report(task).(taskBroken).err; !errors.As(err, &got) || got.Error() != want.Error() || got.Operator != "count" || got.Task != 1 {
		t.Errorf("got %v, want %v", err, want)
	}
	if (*Fault)(nil).error() != nil || faultOf(nil) != nil {
		t.Error("no error has become one")
	}
}

// What comes from another process is no reason to panic.
func FuzzEnvelope(f *testing.F) {
	task := newTask("out", 1)
	e, _ := controlMessage(task, addSplits{[]assigned{{split: flow.Split{ID: "a"}}}})
	f.Add(EncodeEnvelope(nil, &e))
	r := reportMessage(task, acked{3, 5, []delta.Block{{Operator: "o", Data: []byte("xy")}}, 77})
	f.Add(EncodeEnvelope(nil, &r))
	f.Add([]byte(strings.Repeat("\xff", 40)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEnvelope(b)
		if err != nil {
			return
		}
		e.control()
		e.report(task)
		if got, err := DecodeEnvelope(EncodeEnvelope(nil, e)); err != nil || !reflect.DeepEqual(got, e) {
			t.Fatalf("%+v comes back as %+v, %v", e, got, err)
		}
	})
}
