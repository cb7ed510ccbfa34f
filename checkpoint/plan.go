package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/delta"
)

// differencesMax bounds the length of the error about another plan.
const differencesMax = 8

// match checks that a checkpoint made by plan p can be restored by the topology's plan now, and gives the rewriting of the
// states whose values have another schema. A state that is new in the topology begins empty.
func (p Plan) match(job string, now Plan, evolve func(was, is delta.Schema) (Rewrite, error)) (map[stateName]Rewrite, error) {
	rewrites, diffs := diffSchemas(p.Schemas, now.Schemas, evolve)
	diffs = append(diffOperators(job, p.Operators, now.Operators), diffs...)
	if len(diffs) == 0 && p.Hash != now.Hash {
		diffs = []string{fmt.Sprintf("operators and state schemas are the same, but the plan's hash was %q and is %q: edges, "+
			"operator kinds, or key or record types changed", p.Hash, now.Hash)}
	}
	if len(diffs) == 0 {
		return rewrites, nil
	}
	if more := len(diffs) - differencesMax; more > 0 {
		diffs = append(diffs[:differencesMax], fmt.Sprintf("and %d more differences", more))
	}
	return nil, fmt.Errorf("%w: %s; start the topology that made it, or this one with an empty state directory",
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

func diffSchemas(was, is []delta.Schema, evolve func(was, is delta.Schema) (Rewrite, error)) (rewrites map[stateName]Rewrite, diffs []string) {
	rewrites = map[stateName]Rewrite{}
	for _, s := range was {
		t, ok := findSchema(is, s.Operator, s.State)
		switch {
		case !ok:
			diffs = append(diffs, fmt.Sprintf("operator %q: the checkpoint has state %q, which the topology does not have", s.Operator, s.State))
		case s.Key != t.Key:
			diffs = append(diffs, fmt.Sprintf("operator %q: the key of state %q was written as %s, the topology wants %s; keep the type of the key, which says where state lives",
				s.Operator, s.State, s.Key, t.Key))
		case s.Value == t.Value:
		case evolve == nil:
			diffs = append(diffs, fmt.Sprintf("operator %q: state %q was written as %s, the topology wants %s", s.Operator, s.State, s.Value, t.Value))
		default:
			rewrite, err := evolve(s, t)
			if err != nil {
				diffs = append(diffs, err.Error())
			}
			rewrites[stateName{s.Operator, s.State}] = rewrite
		}
	}
	return rewrites, diffs
}

func findSchema(schemas []delta.Schema, operator, state string) (delta.Schema, bool) {
	i := slices.IndexFunc(schemas, func(s delta.Schema) bool { return s.Operator == operator && s.State == state })
	if i < 0 {
		return delta.Schema{Operator: operator, State: state}, false
	}
	return schemas[i], true
}
