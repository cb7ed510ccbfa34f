package kafkasink

import (
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// TestIDsOfAnOperator: Recover aborts what is the operator's, and must not touch another's whose name begins the same.
func TestIDsOfAnOperator(t *testing.T) {
	cfg := Config{}.withDefaults()
	ids := func(operator string) string { return cfg.idsOf(sinks.Instance{Lineage: "l", Operator: operator}) }
	at := sinks.Instance{Lineage: "l", Operator: "out", Attempt: 4}
	for id, want := range map[string]flow.Attempt{
		cfg.transactionalID(at, 0, 0): 4, cfg.transactionalID(at, 12, 1): 4, "millrace-l-out-3-2.17": 17, "millrace-l-out-3-1": 0,
	} {
		if got, ok := attemptOf(id, ids("out")); !ok || got != want {
			t.Errorf("%q is attempt %d's of %q: %v, want %d", id, got, "out", ok, want)
		}
	}
	for _, id := range []string{
		"millrace-l-out-1-0-1.4", // of operator out-1
		"millrace-l-out-1", "millrace-l-out--1", "millrace-l-out-1-", "millrace-l-out-x-1", "millrace-l-out-1-+1", "millrace-l-out-01-1",
		"millrace-l-out-1-2.", "millrace-l-out-1-2.x", "millrace-l-outer-1-1", "millrace-k-out-1-1", "other-l-out-1-1", "",
		"millrace-l-out-1-2.18446744073709551615",
	} {
		if _, ok := attemptOf(id, ids("out")); ok {
			t.Errorf("%q is %q's", id, "out")
		}
	}
	if _, ok := attemptOf("millrace-l-out-1-0-1.4", ids("out-1")); !ok {
		t.Error("an operator's name may end with a number")
	}
}
