package millrace

import "github.com/millrace-io/millrace/flow"

// demand says which records of a changing result the readers of a step want. It is computed before tasks are built, from the
// readers to what they read, so that an operator makes nothing that nobody takes.
type demand uint8

const (
	// wantFinal: each row once, when it is final. Where nothing else is wanted it is a record of kind insert, otherwise one of kind
	// final besides the changes.
	wantFinal demand = 1 << iota
	// wantChanges: a record for each change of a row: an insert that replaces the key's row, or a deletion.
	wantChanges
	// wantBefore: with each change the value it replaces, as a record of kind update-before in front of the update-after.
	wantBefore
	// wantAll: the whole result, for ever: nothing is forgotten behind the watermark and no record is late.
	wantAll
)

// has says whether d holds all of w.
func (d demand) has(w demand) bool { return d&w == w }

// finals gives the step behind it the final rows, as inserts: of what comes with the changes, or of all when only final rows come.
func finals[T any](tb *taskBuild, d demand, next func(T)) func(T) {
	if !d.has(wantChanges) {
		return next
	}
	env := tb.task.Env
	return func(v T) {
		if env.Kind != flow.Final {
			return
		}
		env.Kind = flow.Insert
		next(v)
		env.Kind = flow.Final
	}
}

// changesOnly takes the final rows out of the changes.
func changesOnly[T any](tb *taskBuild, d demand, next func(T)) func(T) {
	if !d.has(wantFinal) {
		return next
	}
	env := tb.task.Env
	return func(v T) {
		if env.Kind != flow.Final {
			next(v)
		}
	}
}

// demands computes what is wanted of each step: what its readers ask for, and what they are asked for where they only pass rows on.
func (j *Job) demands() {
	for _, s := range j.steps {
		s.demand = 0
	}
	for i := len(j.steps) - 1; i >= 0; i-- { // readers come behind what they read
		s := j.steps[i]
		d := s.asks
		if s.passes {
			d |= s.demand
		}
		for _, r := range s.readers {
			r.from().demand |= d
		}
	}
}
