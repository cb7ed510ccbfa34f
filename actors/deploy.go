package actors

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
)

// deploy begins an attempt: it takes the slot, builds the tasks, restores their state and hands out the splits. It runs on
// an I/O goroutine; nothing has started when it returns.
func (j *Job) deploy(ctx context.Context) (d *Deployment, err error) {
	defer func() { // of a user's function: a processor's setup, a source's Splits
		if r := recover(); r != nil {
			if d != nil {
				d.Discard()
			}
			d, err = nil, fmt.Errorf("deploy: %w", failureOf(r, debug.Stack()))
		}
	}()
	attempt := flow.Attempt(1)
	if j.cfg.Log != nil {
		if attempt, err = j.cfg.Log.Begin(ctx); err != nil {
			return nil, err
		}
	}
	fault.Point("deploy/attempt-begun")
	if d, err = j.cfg.Build(ctx, attempt); err != nil {
		return nil, err
	}
	for i, t := range d.Tasks {
		t.number = i
		t.seal(j.cfg.Mode, j.cfg.Log != nil)
	}
	if j.crew != nil {
		if err = j.crew.build(ctx, d, attempt); err != nil {
			d.Discard()
			return nil, err
		}
	}
	fault.Point("deploy/built")
	if err = j.restore(ctx, d); err != nil {
		d.Discard()
		return nil, err
	}
	switch {
	case !j.cfg.Batches.Batches && !j.planned:
	case j.crew != nil:
		j.crew.divide()
	default:
		for _, g := range d.Groups {
			for _, t := range g.Tasks {
				t.source.divide()
			}
		}
	}
	return d, nil
}

// Discard releases the tasks of a deployment that was never started.
func (d *Deployment) Discard() {
	for _, t := range d.Tasks {
		t.stop()
	}
}

func (j *Job) restore(ctx context.Context, d *Deployment) error {
	newest := flow.Epoch(0)
	j.batchPlan = batchPlan{}
	if j.cfg.Log != nil {
		if e, ok := j.cfg.Log.Newest(); ok {
			newest = e.Number
			var err error
			if j.batchPlan, err = decodeBatchPlan(e.Meta); err != nil {
				return fmt.Errorf("restore job %q, epoch %d: %w", j.cfg.Name, e.Number, err)
			}
		}
	}
	each := func(func(delta.Block) error) error { return nil }
	if newest > 0 {
		each = func(f func(delta.Block) error) error {
			if err := j.cfg.Log.Restore(ctx, f); err != nil {
				return fmt.Errorf("restore job %q: %w", j.cfg.Name, err)
			}
			return nil
		}
	}
	j.first = newest + 1
	var starts []delta.Block
	var err error
	if j.crew != nil {
		starts, err = j.crew.restore(ctx, newest, each)
	} else {
		starts, err = d.restore(ctx, newest, each)
	}
	if err != nil || newest > 0 || len(starts) == 0 || j.cfg.Log == nil {
		return err
	}
	if err := j.cfg.Log.Complete(ctx, j.first, starts, nil); err != nil {
		return fmt.Errorf("record the starting positions: %w", err)
	}
	fault.Point("deploy/starts-recorded")
	j.first++
	return nil
}

// restore gives the tasks the blocks that each hands out, oldest first, and deals the splits. It returns the positions at which
// splits begin that were not among the blocks. At last the sinks publish what the blocks, those of epoch restored, hold of their output.
func (d *Deployment) restore(ctx context.Context, restored flow.Epoch, each func(func(delta.Block) error) error) (starts []delta.Block, err error) {
	r := d.restoring()
	if err := each(func(b delta.Block) error { return d.restoreBlock(b, r) }); err != nil {
		return nil, err
	}
	if err := d.restoreRest(r); err != nil {
		return nil, err
	}
	fault.Point("deploy/state-restored")
	if starts, err = d.assignSplits(ctx, r.positions); err != nil {
		return nil, err
	}
	d.forgetRecovered(r.prepared)
	return starts, d.recover(ctx, restored, r.prepared)
}

// restoring is what of an epoch is in no task's tables, by operator: positions by split, watermarks by task.
type restoring struct {
	positions         map[string]map[string]assigned
	watermarks        map[string]map[int]int64
	waiting, prepared kept
	channels          kept
}

func (d *Deployment) restoring() restoring {
	r := restoring{map[string]map[string]assigned{}, map[string]map[int]int64{}, kept{}, kept{}, kept{}}
	for _, g := range d.Groups {
		r.positions[g.ID] = map[string]assigned{}
	}
	return r
}

// restoreRest hands the tasks of this process what was in no tables. All blocks have been restored.
func (d *Deployment) restoreRest(r restoring) error {
	if err := d.restoreWaiting(r.waiting); err != nil {
		return err
	}
	if err := d.restoreChannels(r.channels); err != nil {
		return err
	}
	for operator, of := range r.watermarks {
		restoreWatermarks(d.Stores[operator], of)
	}
	for _, t := range d.here() {
		if err := t.Env.Store.Restored(); err != nil {
			return fmt.Errorf("restore operator %q, task %d/%d: %w", t.Chain, t.Index, t.Count, err)
		}
	}
	return nil
}

// here are the tasks that run in this process.
func (d *Deployment) here() []*Task {
	return slices.DeleteFunc(slices.Clone(d.Tasks), func(t *Task) bool { return t.Away })
}

// restoreBlock gives a block to the task that owns its key group, or keeps it when it is of no table.
func (d *Deployment) restoreBlock(b delta.Block, r restoring) error {
	if into, ok := r.positions[b.Operator]; ok && b.State == SplitsState {
		return decodePositions(b, into)
	}
	switch b.State {
	case WaitingState:
		return r.waiting.take(b, waitingKeyBytes)
	case ChannelState:
		return r.channels.take(b, channelKeyBytes)
	case PreparedState:
		return r.prepared.take(b, preparedKeyBytes)
	}
	tasks := d.Stores[b.Operator]
	if len(tasks) == 0 {
		return fmt.Errorf("operator %q of the checkpoint is not in the topology", b.Operator)
	}
	if b.State == EmittedState {
		return d.restoreEmitted(b, tasks)
	}
	if b.State == WatermarkState {
		if r.watermarks[b.Operator] == nil {
			r.watermarks[b.Operator] = map[int]int64{}
		}
		return decodeWatermarks(b, r.watermarks[b.Operator])
	}
	if b.Group > 0 && planted.On("key-group-off-by-one") {
		b.Group--
	}
	if err := tasks[flow.TaskOf(b.Group, d.KeyGroups, len(tasks))].Env.Store.Restore(b); err != nil {
		return fmt.Errorf("operator %q, state %q, key group %d: %w", b.Operator, b.State, b.Group, err)
	}
	return nil
}

// assignSplits finds splits and deals all of them, in the order of their ids, to the source's tasks. At the first start of
// a lineage their starts are made durable before the first record is read: "latest" means the job's start, also after a
// crash that came before the first epoch.
func (d *Deployment) assignSplits(ctx context.Context, positions map[string]map[string]assigned) (starts []delta.Block, err error) {
	for i := range d.Groups {
		g := &d.Groups[i]
		known := positions[g.ID]
		found, err := g.Splits(ctx, keys(known))
		if err != nil {
			return nil, fmt.Errorf("find splits of source %q: %w", g.ID, err)
		}
		start := delta.Block{Operator: g.ID, State: SplitsState}
		for _, s := range found {
			known[s.ID] = assigned{split: s, position: s.Start}
			start.Data = delta.AppendPut(start.Data, []byte(s.ID), encodePosition(assigned{position: s.Start}))
			start.Count++
		}
		if start.Count > 0 {
			starts = append(starts, start)
		}
		g.deal(known, d.assign)
	}
	return starts, nil
}

// deal deals splits to the tasks, by assign if there is one.
func (g *SourceGroup) deal(all map[string]assigned, assign func(*Task, []assigned)) {
	of := make([][]assigned, len(g.Tasks))
	g.known, g.counts = keys(all), make([]int, len(of))
	for i, id := range g.known {
		g.counts[i%len(of)]++
		of[i%len(of)] = append(of[i%len(of)], all[id])
	}
	for i, t := range g.Tasks {
		if assign != nil {
			assign(t, of[i])
		} else {
			t.source.assign(of[i])
		}
	}
}

// keys lists the ids in order: nothing may depend on the order of a Go map.
func keys(m map[string]assigned) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
