package kafkasource

import (
	"encoding/binary"
	"slices"

	"github.com/IBM/sarama"
)

// aborted knows, while the batches of one fetch go by in order, which producers are in a transaction that was aborted.
type aborted struct {
	ahead []*sarama.AbortedTransaction // by first offset; not begun yet
	now   map[int64]struct{}           // producer ids
}

func newAborted(ts []*sarama.AbortedTransaction) aborted {
	if len(ts) == 0 {
		return aborted{}
	}
	ts = slices.Clone(ts)
	slices.SortFunc(ts, func(a, b *sarama.AbortedTransaction) int {
		switch {
		case a.FirstOffset < b.FirstOffset:
			return -1
		case a.FirstOffset > b.FirstOffset:
			return 1
		}
		return 0
	})
	return aborted{ts, map[int64]struct{}{}}
}

// hides says whether a reader of committed records may not see b, the next batch.
func (a *aborted) hides(b *sarama.RecordBatch) bool {
	for len(a.ahead) > 0 && a.ahead[0].FirstOffset <= b.LastOffset() {
		a.now[a.ahead[0].ProducerID] = struct{}{}
		a.ahead = a.ahead[1:]
	}
	if b.Control {
		if isAbort(b) {
			delete(a.now, b.ProducerID)
		}
		return true
	}
	_, hidden := a.now[b.ProducerID]
	return hidden && b.IsTransactional
}

// isAbort says whether a control batch ends a transaction by aborting it: its key is a version and a type, both int16.
func isAbort(b *sarama.RecordBatch) bool {
	const abort = 0
	return len(b.Records) > 0 && len(b.Records[0].Key) >= 4 && binary.BigEndian.Uint16(b.Records[0].Key[2:]) == abort
}
