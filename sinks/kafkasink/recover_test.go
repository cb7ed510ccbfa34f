package kafkasink

import (
	"testing"

	"github.com/millrace-io/millrace/sinks"
)

// TestIDsOfAnOperator: Recover aborts what is the operator's, and must not touch another's whose name begins the same.
func TestIDsOfAnOperator(t *testing.T) {
	cfg := Config{}.withDefaults()
	ids := func(operator string) string { return cfg.idsOf(sinks.Instance{Lineage: "l", Operator: operator}) }
	at := sinks.Instance{Lineage: "l", Operator: "out", Attempt: 4}
	for _, id := range []string{cfg.transactionalID(at, 0, 0), cfg.transactionalID(at, 12, 1), "millrace-l-out-3-2.4"} {
		if !isOf(id, ids("out")) {
			t.Errorf("%q is not %q's", id, "out")
		}
	}
	for _, id := range []string{
		"millrace-l-out-1-0-1", // of operator out-1
		"millrace-l-out-1", "millrace-l-out--1", "millrace-l-out-1-", "millrace-l-out-x-1", "millrace-l-out-1-+1", "millrace-l-out-01-1",
		"millrace-l-out-1-2.", "millrace-l-out-1-2.x", "millrace-l-outer-1-1", "millrace-k-out-1-1", "other-l-out-1-1", "",
	} {
		if isOf(id, ids("out")) {
			t.Errorf("%q is %q's", id, "out")
		}
	}
	if !isOf("millrace-l-out-1-0-1", ids("out-1")) {
		t.Error("an operator's name may end with a number")
	}
}
