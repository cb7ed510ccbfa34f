package actors

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
	"github.com/millrace-io/millrace/sinks"
)

// PreparedState is the name under which output that sinks have prepared stands in a checkpoint: from the epoch of its Prepare until
// the first cut behind its commit. A key is the attempt, epoch and task of the Prepare, the value is the token.
const PreparedState = "prepared"

// SinkGroup is an operator with a transactional sink, with its tasks.
type SinkGroup struct {
	ID      string
	Recover func(ctx context.Context, restored flow.Epoch, prepared []sinks.Prepared) error
	Tasks   []*Task
}

// output is where the commits of one sink stand. The task's loop owns it. Of each sink at most one commit is under way.
type output struct {
	id         string
	prepared   []preparedToken // not committed, oldest first
	complete   flow.Epoch      // the newest complete epoch: what was prepared up to it may be published
	committing int             // how many of prepared are being committed
	removed    [][]byte        // keys of what was committed, for the next cut
}

type preparedToken struct {
	epoch flow.Epoch
	key   []byte
	token []byte
}

// keyOf is the key of what task prepared.
func keyOf(a flow.Attempt, e flow.Epoch, task int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(a))
	b = binary.BigEndian.AppendUint64(b, uint64(e))
	return binary.BigEndian.AppendUint32(b, uint32(task))
}

const preparedKeyBytes = 8 + 8 + 4

func preparedOf(key string, token []byte) sinks.Prepared {
	b := []byte(key)
	return sinks.Prepared{
		Attempt: flow.Attempt(binary.BigEndian.Uint64(b)), Epoch: flow.Epoch(binary.BigEndian.Uint64(b[8:])),
		Task: int(binary.BigEndian.Uint32(b[16:])), Token: token,
	}
}

// prepare notes the token of an epoch and gives what its checkpoint is to hold of it.
func (o *output) prepare(e flow.Epoch, key, token []byte) delta.Block {
	o.prepared = append(o.prepared, preparedToken{e, key, token})
	if planted.On("tokens-removed-before-the-commit") {
		o.removed = append(o.removed, key)
	}
	return delta.Block{Operator: o.id, State: PreparedState, Count: 1, Data: delta.AppendPut(nil, key, token)}
}

// due takes the tokens that may be committed now; none while a commit is under way.
func (o *output) due() (tokens [][]byte) {
	if o.committing > 0 {
		return nil
	}
	for _, p := range o.prepared {
		if p.epoch > o.complete {
			break
		}
		tokens = append(tokens, p.token)
	}
	o.committing = len(tokens)
	if len(tokens) > 1 && planted.On("oldest-token-forgotten") {
		return tokens[1:]
	}
	return tokens
}

// committed follows the commit of what due gave.
func (o *output) committed() {
	for _, p := range o.prepared[:o.committing] {
		o.removed = append(o.removed, p.key)
	}
	o.prepared = append(o.prepared[:0], o.prepared[o.committing:]...)
	o.committing = 0
}

// removals appends the delta of what was committed since the last cut.
func (o *output) removals(blocks []delta.Block) []delta.Block {
	if len(o.removed) == 0 {
		return blocks
	}
	b := delta.Block{Operator: o.id, State: PreparedState, Count: len(o.removed)}
	for _, key := range o.removed {
		b.Data = delta.AppendDelete(b.Data, key)
	}
	o.removed = nil
	return append(blocks, b)
}

// removedBlocks is the delta of what the task's sinks have published since the last cut.
func (t *Task) removedBlocks() (blocks []delta.Block) {
	for _, s := range t.sinks {
		if o := s.output(); o != nil {
			blocks = o.removals(blocks)
		}
	}
	for _, o := range t.recovered {
		blocks = o.removals(blocks)
	}
	t.recovered = nil
	return blocks
}

// commits says whether one of the task's sinks publishes when an epoch is complete.
func (t *Task) commits() bool {
	return t.committing || slices.ContainsFunc(t.sinks, func(s sink) bool { return s.output() != nil })
}

// completed: epoch e is complete.
func (t *Task) completed(e flow.Epoch) {
	for _, s := range t.sinks {
		if o := s.output(); o != nil {
			o.complete = e
			s.advance()
		}
	}
}

// recover lets each transactional sink publish what the epoch that was restored holds, and give up the rest.
func (d *Deployment) recover(ctx context.Context, restored flow.Epoch, all kept) error {
	for _, g := range d.Sinks {
		of := all[g.ID]
		delete(all, g.ID)
		var prepared []sinks.Prepared
		for _, key := range slices.Sorted(maps.Keys(of)) {
			prepared = append(prepared, preparedOf(key, of[key]))
		}
		slices.SortStableFunc(prepared, func(a, b sinks.Prepared) int { return cmp.Compare(a.Epoch, b.Epoch) })
		fault.Point("deploy/recover")
		if planted.On("recover-forgets-tokens") {
			prepared = nil
		}
		if err := g.Recover(ctx, restored, prepared); err != nil {
			return fmt.Errorf("recover the output of sink %q: %w", g.ID, err)
		}
		fault.Point("deploy/recovered")
	}
	for id, of := range all {
		if len(of) > 0 {
			return fmt.Errorf("operator %q: the checkpoint holds output that its sink has prepared and not published, and the sink it has now does not "+
				"publish with epochs: go on with the sink that prepared it until the job has been stopped cleanly", id)
		}
	}
	return nil
}

// forgetRecovered removes from the next epoch what sinks recover: each sink's first task does, as no other writes these keys.
func (d *Deployment) forgetRecovered(all kept) {
	for _, g := range d.Sinks {
		stale := &output{id: g.ID}
		for _, key := range slices.Sorted(maps.Keys(all[g.ID])) {
			stale.removed = append(stale.removed, []byte(key))
		}
		g.Tasks[0].recovered = append(g.Tasks[0].recovered, stale)
	}
}
