package actors

import (
	"errors"
	"reflect"
	"testing"

	"github.com/millrace-io/millrace/flow"
)

func plans() []batchPlan {
	return []batchPlan{
		{},
		{next: 7},
		{next: 1 << 40, planned: true, ends: map[string]batchEnds{}},
		{next: 3, planned: true, ends: map[string]batchEnds{
			"in":    {"a/0": {until: flow.Position{1, 2, 3}, final: true}, "a/1": {until: flow.Position{9}}},
			"other": {},
		}},
	}
}

func TestBatchPlansSurviveTheirRecord(t *testing.T) {
	for _, p := range plans() {
		got, err := decodeBatchPlan(p.encode())
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("got %+v, error %v; want %+v", got, err, p)
		}
	}
	if got, err := decodeBatchPlan(nil); err != nil || got.next != 0 || got.planned {
		t.Errorf("a record without meta: got %+v, error %v; want no batch", got, err)
	}
	for _, damaged := range [][]byte{{2, 0, 0}, {1, 0}, {1, 0, 2}, {1, 0, 1, 5}, {1, 0, 0, 0}} {
		if p, err := decodeBatchPlan(damaged); !errors.Is(err, errBatchPlan) {
			t.Errorf("%x: got %+v, error %v; want it refused", damaged, p, err)
		}
	}
}

func FuzzBatchPlan(f *testing.F) {
	for _, p := range plans() {
		f.Add(p.encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodeBatchPlan(data)
		if err != nil || len(data) == 0 {
			return
		}
		again, err := decodeBatchPlan(p.encode())
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%x: got %+v, again %+v, error %v", data, p, again, err)
		}
	})
}
