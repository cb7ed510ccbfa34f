package runner_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// The output topic is written in transactions when the state is exactly-once, unless the flags say otherwise; the plan and the log say which.
func TestDeliveryFollowsTheState(t *testing.T) {
	for _, c := range []struct {
		flags         string
		transactional bool
	}{
		{"", true},
		{"--delivery-guarantee exactly-once --transactional-id-prefix mine --transaction-timeout 5m", true},
		{"--delivery-guarantee at-least-once", false},
		{"--guarantee at-least-once", false},
		{"--guarantee at-least-once --delivery-guarantee at-least-once", false},
		{"--guarantee at-most-once", false},
	} {
		t.Run(c.flags, func(t *testing.T) {
			const n = 100
			k := newKafka(t, "a", "out")
			k.fill(t, "a", n)
			flags := append(strings.Fields("--brokers "+k.addr+" --topic a --to out"), strings.Fields(c.flags)...)
			want := "at-least-once"
			if c.transactional {
				want = "exactly-once, visible with each epoch"
			}
			plan := command(t, append([]string{"describe", "kafka-copy"}, flags...)...).want(t, 0).stdout
			if !strings.Contains(plan, "out  sink kafka.Message, "+want) {
				t.Errorf("the plan does not say %q:\n%s", want, plan)
			}
			run := command(t, append([]string{"run", "kafka-copy", "--until-end", "--state-dir", filepath.Join(t.TempDir(), "state")}, flags...)...).want(t, 0)
			if recorded := !strings.Contains(c.flags, "at-most-once"); recorded && !strings.Contains(run.stderr, "sink is "+want) {
				t.Errorf("the log does not say %q:\n%s", want, run.stderr)
			}
			for _, r := range k.all(t, "out", n) {
				if got := r.Attrs.IsTransactional(); got != c.transactional {
					t.Fatalf("offset %d is transactional: %v", r.Offset, got)
				}
			}
		})
	}
}
