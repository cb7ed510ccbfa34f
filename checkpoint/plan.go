package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/delta"
)

// differencesMax bounds the length of the error about another plan.
const differencesMax = 8

// match checks that a checkpoint made by plan p can be restored by the topology's plan now.
func (p Plan) match(job string, now Plan) error {
	diffs := append(diffOperators(job, p.Operators, now.Operators), diffSchemas(p.Schemas, now.Schemas)...)
	if len(diffs) == 0 && p.Hash != now.Hash {
		diffs = []string{fmt.Sprintf("operators and state schemas are the same, but the plan's hash was %q and is %q: edges, "+
			"operator kinds, or key or record types changed", p.Hash, now.Hash)}
	}
	if len(diffs) == 0 {
		return nil
	}
	if more := len(diffs) - differencesMax; more > 0 {
		diffs = append(diffs[:differencesMax], fmt.Sprintf("and %d more differences", more))
	}
	return fmt.Errorf("%w: %s; start the topology that made it, or this one with an empty state directory",
		ErrPlan, strings.Join(diffs, "; "))
}

func diffOperators(job string, was, is []string) (diffs []string) {
	for _, id := range was {
		if !slices.Contains(is, id) {
			diffs = append(diffs, fmt.Sprintf("checkpoint of job %q has operator %q, which the topology does not have", job, id))
		}
	}
	for _, id := range is {
		if !slices.Contains(was, id) {
			diffs = append(diffs, fmt.Sprintf("the topology has operator %q, which the checkpoint of job %q does not have", id, job))
		}
	}
	return diffs
}

func diffSchemas(was, is []delta.Schema) (diffs []string) {
	for _, s := range was {
		t, ok := findSchema(is, s.Operator, s.State)
		switch {
		case !ok:
			diffs = append(diffs, fmt.Sprintf("operator %q: the checkpoint has state %q, which the topology does not have", s.Operator, s.State))
		case s.Key != t.Key:
			diffs = append(diffs, fmt.Sprintf("operator %q: the key of state %q was written as %s, the topology wants %s", s.Operator, s.State, s.Key, t.Key))
		case s.Value != t.Value:
			diffs = append(diffs, fmt.Sprintf("operator %q: state %q was written as %s, the topology wants %s", s.Operator, s.State, s.Value, t.Value))
		}
	}
	for _, s := range is {
		if _, ok := findSchema(was, s.Operator, s.State); !ok {
			diffs = append(diffs, fmt.Sprintf("operator %q: the topology has state %q, which the checkpoint does not have", s.Operator, s.State))
		}
	}
	return diffs
}

func findSchema(schemas []delta.Schema, operator, state string) (delta.Schema, bool) {
	i := slices.IndexFunc(schemas, func(s delta.Schema) bool { return s.Operator == operator && s.State == state })
	if i < 0 {
		return delta.Schema{Operator: operator, State: state}, false
	}
	return schemas[i], true
}
