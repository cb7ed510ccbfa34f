package actors

import (
	"fmt"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/flow"
)

func flag(on bool, f uint16) uint16 {
	if on {
		return f
	}
	return 0
}

func splitStates(all []assigned) []SplitState {
	out := make([]SplitState, len(all))
	for i, a := range all {
		out[i] = SplitState{a.split.ID, a.split.Start, a.position, a.position != nil, a.finished, a.hasWatermark, a.watermarkNS}
	}
	return out
}

func assignedOf(all []SplitState) []assigned {
	out := make([]assigned, len(all))
	for i, s := range all {
		out[i] = assigned{split: flow.Split{ID: s.ID, Start: s.Start}, finished: s.Finished, watermarkNS: s.WatermarkNS, hasWatermark: s.HasWatermark}
		if s.HasPosition {
			out[i].position = append(flow.Position{}, s.Position...)
		}
	}
	return out
}

func splitEnds(of batchEnds) (out []SplitEnd) {
	for _, id := range slices.Sorted(maps.Keys(of)) {
		out = append(out, SplitEnd{id, of[id].until, of[id].final})
	}
	return out
}

func batchEndsOf(all []SplitEnd) batchEnds {
	out := batchEnds{}
	for _, e := range all {
		out[e.ID] = batchEnd{append(flow.Position{}, e.Until...), e.Final}
	}
	return out
}

// controlMessage is a control message to a task, for the wire. What only concerns the memory of this process has none.
func controlMessage(t *Task, msg any) (m Envelope, ok bool) {
	m = Envelope{Attempt: t.Attempt, Task: t.number}
	switch c := msg.(type) {
	case trigger:
		m.Kind, m.Epoch, m.Batch, m.Flags = MsgTrigger, c.barrier.Epoch, c.barrier.Ends(), flag(c.last, flagLast)
	case unalign:
		m.Kind, m.Epoch, m.Batch = MsgUnalign, c.epoch, c.batch
	case planBatch:
		m.Kind, m.N, m.Batch, m.Targets = MsgPlanBatch, int64(c.ask), c.most, splitEnds(c.targets)
		m.Flags = flag(c.whole, flagWhole) | flag(c.fix, flagFix) | flag(c.fixed, flagFixed)
	case readBatch:
		m.Kind, m.Ends = MsgReadBatch, splitEnds(c.ends)
	case flowOn:
		m.Kind = MsgFlowOn
	case addSplits:
		m.Kind, m.Splits = MsgAddSplits, splitStates(c.splits)
	case finish:
		m.Kind, m.Flags = MsgFinish, flag(c.ended, flagEnded)
	case completed:
		m.Kind, m.Epoch, m.Flags = MsgCompleted, c.epoch, flag(c.tell, flagTell)
	case recycle:
		return m, false
	default:
		panic(failure{fmt.Errorf("a message of type %T cannot leave the process", msg)})
	}
	return m, true
}

// control is the message to a task that came over the wire; nil when it is none.
func (m *Envelope) control() any {
	switch m.Kind {
	case MsgTrigger:
		return trigger{flow.BarrierOf(m.Epoch, m.Batch), m.Flags&flagLast != 0}
	case MsgUnalign:
		return unalign{m.Epoch, m.Batch}
	case MsgPlanBatch:
		return planBatch{
			ask: int(m.N), most: m.Batch, whole: m.Flags&flagWhole != 0, fix: m.Flags&flagFix != 0, fixed: m.Flags&flagFixed != 0,
			targets: batchEndsOf(m.Targets),
		}
	case MsgReadBatch:
		return readBatch{batchEndsOf(m.Ends)}
	case MsgFlowOn:
		return flowOn{}
	case MsgAddSplits:
		return addSplits{assignedOf(m.Splits)}
	case MsgFinish:
		return finish{m.Flags&flagEnded != 0}
	case MsgCompleted:
		return completed{m.Epoch, m.Flags&flagTell != 0}
	}
	return nil
}

// reportMessage is a task's report, for the wire.
func reportMessage(t *Task, msg any) Envelope {
	m := Envelope{Attempt: t.Attempt, Task: t.number}
	switch r := msg.(type) {
	case acked:
		m.Kind, m.Epoch, m.Blocks, m.N = MsgAcked, r.epoch, r.blocks, r.alignNS
	case ended:
		m.Kind = MsgEnded
	case connection:
		m.Kind, m.Text, m.Data, m.Failed = MsgConnection, r.operator, []byte(r.split), faultOf(r.err)
	case notClosed:
		m.Kind, m.Text, m.Failed = MsgNotClosed, r.operator, faultOf(r.err)
	case taskFinished:
		m.Kind = MsgTaskFinished
	case published:
		m.Kind, m.Epoch = MsgPublished, r.epoch
	case batchPlanned:
		m.Kind, m.N, m.Text, m.Flags = MsgBatchPlanned, int64(r.ask), r.source, flag(r.something, flagSomething)
		m.Ends, m.Targets = splitEnds(r.ends), splitEnds(r.targets)
	case batchRead:
		m.Kind = MsgBatchRead
	default:
		panic(failure{fmt.Errorf("a report of type %T cannot leave the process", msg)})
	}
	return m
}

// report is the report of task t that came over the wire; nil when it is none.
func (m *Envelope) report(t *Task) any {
	switch m.Kind {
	case MsgAcked:
		return acked{t.number, m.Epoch, m.Blocks, m.N}
	case MsgEnded:
		return ended{t.number}
	case MsgConnection:
		return connection{m.Text, string(m.Data), m.Failed.error()}
	case MsgNotClosed:
		return notClosed{m.Text, t.Index, m.Failed.error()}
	case MsgTaskFinished:
		return taskFinished{t.number}
	case MsgPublished:
		return published{t.number, m.Epoch}
	case MsgBatchPlanned:
		return batchPlanned{ask: int(m.N), source: m.Text, something: m.Flags&flagSomething != 0, ends: batchEndsOf(m.Ends), targets: batchEndsOf(m.Targets)}
	case MsgBatchRead:
		return batchRead{}
	case MsgBroken:
		return taskBroken{t, m.Failed.error()}
	case MsgTerminated:
		return terminated{t}
	}
	return nil
}
