package millrace

import (
	"fmt"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/internal/delta"
)

// evolve gives the rewriting of a state's values that an older version of the topology wrote. What is dropped is said in the
// log: a field that was renamed without an alias looks the same as one that is gone.
func (d *deployment) evolve(was, _ delta.Schema) (checkpoint.Rewrite, error) {
	if was.State == staticState && d.changed(was.Operator) {
		return func(dst, _ []byte) ([]byte, error) { return dst, nil }, nil
	}
	tasks := d.tasks(was.Operator)
	if len(tasks) == 0 {
		return nil, fmt.Errorf("operator %q: state %q: the operator has no tasks", was.Operator, was.State)
	}
	e, err := tasks[0].Env.Store.Evolve(was)
	if err != nil {
		return nil, err
	}
	log := d.config.Logger.With("job", d.job.name, "operator", was.Operator, "state", was.State)
	if len(e.Dropped) > 0 {
		log.Warn("state was written by another version, some of whose fields are dropped; the tag alias=old keeps a field that was renamed",
			"dropped", e.Dropped, "added", e.Added)
	} else {
		log.Info("state was written by another version and is written anew", "added", e.Added)
	}
	return e.Rewrite, nil
}
