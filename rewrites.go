package millrace

import (
	"fmt"

	"github.com/millrace-io/millrace/sinks"
)

// finalKind is the kind of the steps that emit last rows.
const finalKind = "final"

// rewrites finds the steps whose last rows leave in each attempt, because the sinks behind them write all they have at the end, and
// says where a sink would miss rows after a restart, or get them twice.
func (j *Job) rewrites(c Config) (faults []error) {
	for _, s := range j.steps {
		s.rewritten = false
	}
	if c.Guarantee == AtMostOnce { // nothing restarts
		return nil
	}
	for _, s := range j.steps {
		if _, ok := s.sink.(sinks.Rewriter); s.Sink && ok {
			faults = append(faults, s.rewrite(s)...)
		}
	}
	for _, s := range j.steps {
		if _, ok := s.sink.(sinks.Rewriter); !s.Sink || ok {
			continue
		}
		for _, f := range j.steps {
			if f.rewritten && s.reads(f) {
				faults = append(faults, fmt.Errorf("operator %q: the rows of %q come again after a restart, since another of their sinks writes all of them at the end; "+
					"give it a Final of its own", s.ID, f.ID))
			}
		}
	}
	return faults
}

// rewrite marks the steps that it gets its last rows from, for sink.
func (s *step) rewrite(sink *step) (faults []error) {
	for _, r := range s.readers {
		switch from := r.from(); {
		case from.Kind == finalKind:
			from.rewritten = true
		case from.Source || from.Keyed || from.Waits || from.keeps:
			faults = append(faults, fmt.Errorf("operator %q: the sink writes all it has at the end, and what it gets from %q would not come again after a restart; "+
				"let it read Table.Final, or take millrace.AtMostOnce", sink.ID, from.ID))
		default:
			faults = append(faults, from.rewrite(sink)...)
		}
	}
	return faults
}

// reads says whether records of a step come to s.
func (s *step) reads(of *step) bool {
	for _, r := range s.readers {
		if from := r.from(); from == of || from.reads(of) {
			return true
		}
	}
	return false
}
