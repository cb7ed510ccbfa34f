package kafka

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"
)

// TestLogIsReadAsItIs: batches of a partition from the record on, and what they prove about the transaction of producer 7, epoch 3.
func TestLogIsReadAsItIs(t *testing.T) {
	data := func(id int64, epoch int16) *sarama.RecordBatch {
		return &sarama.RecordBatch{ProducerID: id, ProducerEpoch: epoch, IsTransactional: true}
	}
	marker := func(id int64, epoch int16, kind byte) *sarama.RecordBatch {
		b := data(id, epoch)
		b.Control, b.Records = true, []*sarama.Record{{Key: []byte{0, 0, 0, kind}}}
		return b
	}
	const abort, commit = 0, 1
	for name, c := range map[string]struct {
		log  []*sarama.RecordBatch
		want Outcome
		says string
	}{
		"committed":                        {[]*sarama.RecordBatch{data(7, 3), data(7, 3), marker(7, 3, commit)}, Committed, ""},
		"aborted":                          {[]*sarama.RecordBatch{data(7, 3), marker(7, 3, abort), data(7, 4), marker(7, 4, commit)}, Aborted, ""},
		"fenced, or timed out":             {[]*sarama.RecordBatch{data(7, 3), marker(7, 4, abort)}, Aborted, ""},
		"others come between":              {[]*sarama.RecordBatch{data(7, 3), data(8, 3), marker(8, 3, abort), marker(9, 0, commit), marker(7, 3, commit)}, Committed, ""},
		"open":                             {[]*sarama.RecordBatch{data(7, 3), data(8, 3), marker(8, 3, commit)}, Unknown, ""},
		"another producer's record":        {[]*sarama.RecordBatch{data(8, 3), marker(7, 3, commit)}, Unknown, "not the transaction's"},
		"a newer transaction's record":     {[]*sarama.RecordBatch{data(7, 4), marker(7, 4, commit)}, Unknown, "not the transaction's"},
		"a marker where the record was":    {[]*sarama.RecordBatch{marker(7, 3, commit)}, Unknown, "not the transaction's"},
		"a record without transaction":     {[]*sarama.RecordBatch{{ProducerID: 7, ProducerEpoch: 3}, marker(7, 3, commit)}, Unknown, "not the transaction's"},
		"its marker is compacted away":     {[]*sarama.RecordBatch{data(7, 3), data(7, 4), marker(7, 4, commit)}, Unknown, "end is missing"},
		"and so is the next one's record":  {[]*sarama.RecordBatch{data(7, 3), marker(7, 4, commit)}, Unknown, "end is missing"},
		"the batch before was compacted":   {[]*sarama.RecordBatch{nil, data(7, 3), marker(7, 3, commit)}, Unknown, "not the transaction's"},
		"a marker that sarama cannot read": {[]*sarama.RecordBatch{data(7, 3), {ProducerID: 7, ProducerEpoch: 3, Control: true}}, Unknown, "end is missing"},
	} {
		s := search{at: Place{"t", 0, 100}, producer: Producer{7, 3}, next: 100}
		outcome, err := Unknown, error(nil)
		for i, b := range c.log {
			if b == nil {
				continue
			}
			b.FirstOffset = 100 + int64(i)
			if outcome, err = s.look(b); outcome != Unknown || err != nil {
				break
			}
			s.next = b.LastOffset() + 1
		}
		if outcome != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: outcome %d, error %v; want %d, %q", name, outcome, err, c.want, c.says)
		}
	}
}
