package millrace

import (
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/plan"
)

// place says which task of a step has the records of a key: the owner of the key's group among place[0] tasks, modulo each number that follows. nil: the key
// does not decide it.
type place []int

// of is the task for a hash.
func (p place) of(hash uint64, groups int) int {
	task := flow.TaskOf(flow.KeyGroup(hash&uint64(groups-1)), groups, p[0])
	for _, n := range p[1:] {
		task %= n
	}
	return task
}

// place is where records with a key's hash are processed by step s.
func (d *deployment) place(s *step) (p place) {
	for i, r := range s.readers {
		from := d.placeOver(r)
		if from == nil || i > 0 && !slices.Equal(from, p) {
			return nil
		}
		p = from
	}
	return p
}

// placeOver is where records that come over a reading are processed.
func (d *deployment) placeOver(r connector) place {
	n := len(d.tasks(r.reads().ID))
	switch r.ships() {
	case plan.Hash:
		return place{n}
	case plan.Forward:
		from := d.place(r.from())
		if from == nil || from[len(from)-1] == n {
			return from
		}
		return append(slices.Clone(from), n)
	}
	return nil
}

// owner says which task gets a record that was on its way over a reading to some task, when there may have been another number of them: where later records of
// its key go, or else to that task as far as there is one.
func (d *deployment) owner(r connector) func(hash uint64, task int) int {
	n, p, groups := len(d.tasks(r.reads().ID)), d.placeOver(r), d.keyGroups
	return func(hash uint64, task int) int {
		if p != nil {
			return p.of(hash, groups)
		}
		return task % n
	}
}
