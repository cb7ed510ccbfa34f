package millrace

import (
	"fmt"

	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/operators"
)

// JoinStatic joins each record with the rows of a static table that have its key: f makes the result of each pair. A record without
// one is filtered. The table's hash is in the checkpoint: a table that has changed since is used, and that is said in the log.
func (s Stream[T]) JoinStatic[K comparable, V, U any](id string, table *Static[K, V], key func(T) K, f func(T, V) U) Stream[U] {
	s.need(id, key == nil || f == nil)
	return static(s, "JoinStatic", "static-join", id, table, func(tb *taskBuild, next func(U)) func(T) {
		return operators.JoinStatic(tb.task.Env, table.rows, key, f, next)
	})
}

// LeftJoinStatic is JoinStatic that gives f a record without rows too, with false.
func (s Stream[T]) LeftJoinStatic[K comparable, V, U any](id string, table *Static[K, V], key func(T) K, f func(left T, row V, has bool) U) Stream[U] {
	s.need(id, key == nil || f == nil)
	return static(s, "LeftJoinStatic", "static-left-join", id, table, func(_ *taskBuild, next func(U)) func(T) {
		return operators.LeftJoinStatic(table.rows, key, f, next)
	})
}

func static[K comparable, T, V, U any](s Stream[T], made, kind, id string, table *Static[K, V], into func(*taskBuild, func(U)) func(T)) Stream[U] {
	out := derive(s, made, kind, id, plan.Step{}, plan.Forward, into)
	st := out.out.step
	switch {
	case table == nil:
		s.job.fault(fmt.Errorf("operator %q: static table is nil", id))
		return out
	case table.key == nil:
		s.job.fault(fmt.Errorf("operator %q: static table: func is nil", id))
		return out
	}
	st.checks = append(st.checks, table.load)
	st.tableSum = func() string { return table.sum }
	return out
}

// staticState is the name under which a static table's hash stands among the schemas of a checkpoint: it has no entries.
const staticState = "table"

// staticSchema is the schema that stands for a static table's content.
func staticSchema(operator, sum string) delta.Schema {
	return delta.Schema{Operator: operator, State: staticState, Key: `"null"`, Value: `{"name":"Table","type":"fixed","size":0,"sha256":"` + sum + `"}`}
}

// changed is the rewriting of a static table's state, of which there is nothing: what has changed is the table.
func (d *deployment) changed(operator string) bool {
	s := d.job.byID[operator]
	if s == nil || s.tableSum == nil {
		return false
	}
	d.config.Logger.Warn("the static table is another than the one of the checkpoint; what was joined already stays as it is",
		"job", d.job.name, "operator", operator, "sha256", s.tableSum())
	return true
}
