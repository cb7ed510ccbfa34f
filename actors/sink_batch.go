package actors

import (
	"fmt"

	"github.com/millrace-io/millrace/flow"
)

// BatchWriter is the end of a chain that is nothing but a sink: it takes batches as they come off a lane, so that no record is
// copied once more.
type BatchWriter[T any] interface {
	WriteBatch(*flow.Batch[T])
}

// WriteBatch implements BatchWriter, on the task's loop.
func (s *inlineSink[T]) WriteBatch(b *flow.Batch[T]) {
	s.Flush()
	s.t.Stats.RecordsOut.Add(int64(len(b.Records)))
	if err := s.w.Write(s.t.ctx, b); err != nil {
		panic(failure{operatorError{s.id, fmt.Errorf("write sink: %w", err)}})
	}
}
