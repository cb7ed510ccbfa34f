package checkpoint

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
)

// Complete makes epoch e durable: the changed entries of all tasks of this process as one segment (none when there are no
// entries) and the record, in one slot; a segment of more than Options.InlineBytes becomes a file first. When it returns nil the epoch is complete, and only then may its output be
// committed. ErrTaken and ErrFenced mean that this run must stop and commit nothing; they are final. After any other error
// the epoch is not known to be complete; the engine may go on with a later epoch that includes its changes, or Begin.
//
// Blocks of one state and key group take effect in the order given. The engine calls it for one epoch after the other;
// blocks and meta are the log's until it returns, meta also afterwards.
func (l *Log) Complete(ctx context.Context, e flow.Epoch, blocks []delta.Block, meta []byte) error {
	l.taking.Lock()
	defer l.taking.Unlock()
	start := time.Now()
	if err := l.complete(ctx, e, blocks, meta); err != nil {
		return fmt.Errorf("complete epoch %d of job %q: %w", e, l.o.Job, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.CompleteDuration = time.Since(start)
	return nil
}

func (l *Log) complete(ctx context.Context, e flow.Epoch, blocks []delta.Block, meta []byte) error {
	l.mu.Lock()
	err, attempt, newest := l.usable(), l.begun, l.chain.epoch()
	unread := l.pending(l.chain.newest) && !l.evolution.done
	l.mu.Unlock()
	switch {
	case err != nil:
		return err
	case attempt == 0:
		return fmt.Errorf("no attempt has begun")
	case e <= newest:
		return fmt.Errorf("epoch %d is complete already; epochs only grow", newest)
	case unread:
		return fmt.Errorf("epoch %d has other schemas and was not restored; restore it first", newest)
	}
	var segment []run
	var inline []byte
	if hasEntries(blocks) {
		fault.Point("checkpoint/segment")
		r, data, err := l.writeSegment(ctx, e, attempt, blocks)
		if err != nil {
			return err
		}
		segment, inline = []run{r}, data
		if planted.On("segment-not-in-the-record") && len(l.runs) > 2 {
			segment, inline = nil, nil
		}
	}
	err = l.take(ctx, func(c chain) *record {
		if inline != nil {
			segment[0].slot, segment[0].name = c.slot+1, slotName(c.slot+1)
		}
		return &record{kind: epochRecord, attempt: attempt, epoch: e, plan: l.o.Plan, runs: l.pin(segment), meta: meta, inline: inline}
	})
	l.unpin(segment, err == nil)
	return err
}

func hasEntries(blocks []delta.Block) bool {
	for _, b := range blocks {
		if b.Count > 0 || len(b.Data) > 0 {
			return true
		}
	}
	return false
}

// pin gives the runs for a record and keeps them from being deleted until unpin: a fold may replace them meanwhile.
func (l *Log) pin(segment []run) []run {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pinned = append(append([]run(nil), l.runs...), segment...)
	return l.pinned
}

// unpin ends the writing of a record. One whose slot could not be taken may have it all the same: its runs stay until it is known
// what the slot holds.
func (l *Log) unpin(segment []run, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pinned := l.pinned
	l.pinned = nil
	if !taken {
		if !planted.On("torn-segment-forgotten") {
			l.torn = append(l.torn, segment...)
		}
		l.doubt = append(l.doubt, pinned...)
		return
	}
	l.runs = append(l.runs[:len(l.runs):len(l.runs)], segment...)
	l.stats.SegmentBytes = sizeOf(segment)
}
