package millrace

import (
	"context"
	"time"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// sourceControl is a source with its record type rubbed off, for the job actor.
type sourceControl struct {
	find          func(ctx context.Context, known []string) ([]flow.Split, error)
	discoverEvery time.Duration
	replayable    bool
	bounds        bool // it can say where a batch should end
	uncommitted   bool // it gives records that may be taken back
	portable      bool // it can be read in any process
}

// bindSource gives step s the closures that read src.
func bindSource[T any](s *step, src sources.Source[T], out *port[T]) {
	s.splits = &sourceControl{find: src.Splits, replayable: sources.CanReplay(src), uncommitted: sources.ReadsUncommitted(src), portable: sources.IsPortable(src)}
	if d, ok := src.(sources.Discoverer); ok {
		s.splits.discoverEvery = time.Duration(d.DiscoverEveryNS())
	}
	_, s.splits.bounds = sources.BounderOf(src)
	_, s.timed = src.(sources.Timekeeper)
	if c, ok := src.(sources.Checker); ok {
		s.checks = append(s.checks, c.Check)
	}
	s.source = func(tb *taskBuild) {
		next := out.sink(tb)
		var bad func(flow.DeadLetter)
		if len(s.letters.readers) > 0 {
			bad = s.letters.sink(tb)
		}
		actors.NewHead(tb.task, s.ID, src, next, bad, tb.d.config.BatchRecords, s.splits.discoverEvery <= 0)
	}
}
