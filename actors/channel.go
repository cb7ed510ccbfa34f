package actors

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/mailbox"
)

// ChannelState is the name under which records that were on their way to a task stand in a checkpoint whose epoch the task cut
// ahead of their barriers. A key is the task's index and a number that counts from 0, in an order in which records may be processed.
const ChannelState = "channel"

const channelKeyBytes = 4 + 4

// stashPerTurn is how many batches of each lane are recorded in a turn.
const stashPerTurn = 64

// Edge is one reading of a step, whose records are recorded and restored.
type Edge struct {
	Step   string // that reads
	Port   int    // which of its readings
	Schema uint64 // of the encoding of records
	// Owner is the task that gets a record, by its hash and the task that it was on its way to, of whatever number of tasks there were.
	Owner  func(hash uint64, task int) int
	Replay Replay
}

// Replay is the input of records that were on their way when the epoch was cut from which the attempt starts.
type Replay interface {
	mailbox.Input
	Load(data []byte, mine func(hash uint64) bool) error
}

// laneGroup is the lanes of all producers of an edge.
type laneGroup struct {
	name  []byte // in front of each recorded batch
	lanes []mailbox.Input
}

// channel is a task's recording of what is on its way. Of the epochs of a task one at a time is being recorded.
type channel struct {
	groups []laneGroup
	edges  []Edge
	wanted unalign
	epoch  flow.Epoch // being recorded, 0 for none
	block  delta.Block
	n      int                 // entries of it that are put
	inCut  int                 // entries that the newest cut before has left in the checkpoint
	stale  map[string][][]byte // keys of restored entries, to be removed, by operator
	next   int                 // the edge whose replay is not over
}

// AddLanes gives the task the lanes of an edge. They are aligned in the order they are added.
func (t *Task) AddLanes(e Edge, lanes []mailbox.Input) {
	t.channel.groups = append(t.channel.groups, laneGroup{e.name(), lanes})
	for _, in := range lanes {
		t.AddInput(in)
	}
	t.AddEdge(e)
}

// AddEdge gives the task an edge to one of its steps, also one without lanes: with another number of tasks it may have had some.
func (t *Task) AddEdge(e Edge) { t.channel.edges = append(t.channel.edges, e) }

// name tells edges apart: the schema, the port, the step.
func (e *Edge) name() []byte {
	b := binary.BigEndian.AppendUint64(nil, e.Schema)
	b = binary.AppendUvarint(b, uint64(e.Port))
	b = binary.AppendUvarint(b, uint64(len(e.Step)))
	return append(b, e.Step...)
}

// sortEdges puts the steps at the chain's end first: what is on its way to them is older than what is on its way to those before.
func (t *Task) sortEdges() {
	slices.SortStableFunc(t.channel.edges, func(a, b Edge) int {
		return cmp.Compare(slices.Index(t.Operators, b.Step), slices.Index(t.Operators, a.Step))
	})
}

// replay is the next input that holds restored records; nil when all were processed.
func (t *Task) replay() mailbox.Input {
	for c := &t.channel; c.next < len(c.edges); c.next++ {
		if in := c.edges[c.next].Replay; in.Take() {
			return in
		}
	}
	return nil
}

// unalign notes that an epoch takes too long to align.
func (t *Task) unalign(m unalign) {
	if len(t.channel.groups) == 0 || !t.durable { // no lane holds it back, or nothing is recorded
		return
	}
	t.channel.wanted = m
	t.cutAhead()
}

// cutAhead cuts the epoch that takes too long to align, if it can be cut now, and begins to record what is on its way before the
// barriers that have not come. It cannot while operators do what belongs together: rows of initial state, last records, the end of a batch.
func (t *Task) cutAhead() {
	c := &t.channel
	if t.aligner.Cut(c.wanted.epoch) { // meanwhile all barriers have come
		c.wanted = unalign{}
		return
	}
	if t.starters < len(t.Env.Starters()) || t.emitting || len(t.barriers) > 0 {
		return
	}
	epoch := t.aligner.Ahead(c.wanted.epoch)
	if epoch == 0 {
		return
	}
	t.Stats.CutsAhead.Add(1)
	batch := c.wanted.batch
	if epoch != c.wanted.epoch {
		batch = flow.NoBatch
	} else {
		c.wanted = unalign{}
	}
	c.epoch, c.n = epoch, 0
	c.block = delta.Block{Operator: t.Chain, State: ChannelState}
	for i := range c.edges {
		c.edges[i].Replay.Record(t.recorder(c.edges[i].name()))
	}
	lane := 0
	for _, e := range c.groups {
		put := t.recorder(e.name)
		for _, in := range e.lanes {
			if t.aligner.Behind(lane) {
				in.Record(put)
			}
			lane++
		}
	}
	t.cut(flow.BarrierOf(epoch, batch))
	t.stash()
}

// recorder puts batches of an edge into the block.
func (t *Task) recorder(name []byte) func(batch []byte) {
	c := &t.channel
	return func(batch []byte) {
		value := append(append(make([]byte, 0, len(name)+len(batch)), name...), batch...)
		c.block.Data = delta.AppendPut(c.block.Data, channelKey(t.Index, c.n), value)
		c.block.Count++
		c.n++
		n, _ := binary.Uvarint(batch)
		t.Stats.ChannelRecords.Add(int64(n))
	}
}

func channelKey(task, n int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(task)), uint32(n))
}

// channelRemovals is the delta that removes what an older cut has left.
func (t *Task) channelRemovals() (blocks []delta.Block) {
	c := &t.channel
	for _, operator := range slices.Sorted(maps.Keys(c.stale)) {
		blocks = append(blocks, removal(operator, c.stale[operator]))
	}
	var keys [][]byte
	for n := range c.inCut {
		keys = append(keys, channelKey(t.Index, n))
	}
	c.stale, c.inCut = nil, 0
	if len(keys) > 0 {
		blocks = append(blocks, removal(t.Chain, keys))
	}
	return blocks
}

func removal(operator string, keys [][]byte) delta.Block {
	b := delta.Block{Operator: operator, State: ChannelState, Count: len(keys)}
	for _, key := range keys {
		b.Data = delta.AppendDelete(b.Data, key)
	}
	return b
}

// stash records what lanes have brought, without processing it, until each has brought its barrier: back-pressure does not hold it back.
// It says whether there was anything.
func (t *Task) stash() (worked bool) {
	c := &t.channel
	if c.epoch == 0 {
		return false
	}
	lane := 0
	for _, e := range c.groups {
		put := t.recorder(e.name)
		for _, in := range e.lanes {
			worked = t.stashLane(lane, in, put) || worked
			lane++
		}
	}
	if t.aligner.Late() == 0 {
		t.recorded()
	}
	return worked
}

func (t *Task) stashLane(lane int, in mailbox.Input, put func([]byte)) (worked bool) {
	for range stashPerTurn {
		m, moved := in.Stash(put)
		if !moved {
			break
		}
		worked = true
		if m.Has&flow.HasBarrier != 0 {
			t.barrier(lane, m)
			break
		}
	}
	return worked
}

// recorded ends the recording: all that was on its way is in the cut.
func (t *Task) recorded() {
	c := &t.channel
	for i := range t.cuts {
		if t.cuts[i].epoch != c.epoch {
			continue
		}
		if t.cuts[i].recording = false; c.block.Count > 0 {
			t.cuts[i].blocks = append(t.cuts[i].blocks, c.block)
		}
	}
	c.inCut, c.epoch, c.block = c.n, 0, delta.Block{}
	t.acknowledge()
}

// stashable says whether stash would find something.
func (t *Task) stashable() bool {
	return t.channel.epoch != 0 && slices.ContainsFunc(t.inputs, mailbox.Input.Stashable)
}
