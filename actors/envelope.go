package actors

import (
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// Envelope is what a coordinator and a worker tell each other about the tasks of an attempt. Which fields hold is said by Kind. It is
// encoded like a record (codec.Derive), so a lane can carry it.
type Envelope struct {
	Kind    EnvelopeKind
	Attempt flow.Attempt
	Task    int // number among all tasks of the attempt

	Epoch  flow.Epoch
	Batch  int64
	Flags  uint16 // flagLast, …
	N      int64
	Text   string
	Data   []byte
	Failed *Fault

	Blocks  []delta.Block
	Splits  []SplitState
	Ends    []SplitEnd
	Targets []SplitEnd
	Counts  []int64
}

// EnvelopeKind says what a Envelope means.
type EnvelopeKind uint8

// From the coordinator.
const (
	// MsgBuild asks for the tasks of an attempt: Data is the plan's, N the barrier mode, flagDurable. MsgBuilt is the answer.
	MsgBuild EnvelopeKind = iota + 1
	// MsgBlocks are blocks of the epoch that is restored.
	MsgBlocks
	// MsgRestored: all blocks were sent. MsgReady is the answer.
	MsgRestored
	// MsgAssign gives a source task its first Splits.
	MsgAssign
	// MsgDivide: sources read in batches, from the start.
	MsgDivide
	// MsgSpawn starts a task, MsgStop ends it: MsgTerminated follows.
	MsgSpawn
	MsgStop
	// MsgQuiet asks for MsgQuieted, when no I/O of the attempt is left.
	MsgQuiet
	// The control messages of tasks.
	MsgTrigger
	MsgUnalign
	MsgPlanBatch
	MsgReadBatch
	MsgFlowOn
	MsgAddSplits
	MsgFinish
	MsgCompleted
)

// From a worker.
const (
	// MsgBuilt: the tasks are there, or Failed says why not. Counts are the numbers of those that commit, Flags say whether one ends batches.
	MsgBuilt EnvelopeKind = iota + 101
	// MsgReady: they are restored, or Failed says why not.
	MsgReady
	// MsgBroken: a task failed.
	MsgBroken
	MsgTerminated
	MsgQuieted
	// The reports of tasks.
	MsgAcked
	MsgEnded
	MsgConnection
	MsgNotClosed
	MsgTaskFinished
	MsgPublished
	MsgBatchPlanned
	MsgBatchRead
	// MsgCounts are a task's Stats.
	MsgCounts
)

const (
	flagLast = 1 << iota
	flagTell
	flagEnded
	flagDurable
	flagTriggers
	flagWhole
	flagFix
	flagFixed
	flagSomething
)

// SplitState is an assigned split on the wire.
type SplitState struct {
	ID           string
	Start        []byte
	Position     []byte
	HasPosition  bool
	Finished     bool
	HasWatermark bool
	WatermarkNS  int64
}

// SplitEnd is the end of a split's part of a batch on the wire.
type SplitEnd struct {
	ID    string
	Until []byte
	Final bool
}

// Fault is an error on the wire, with what decides what follows from it.
type Fault struct {
	Text        string
	Unreachable bool
	Fenced      bool

	// Of a task's failure; see TaskError.
	OfTask      bool
	Operator    string
	Operators   []string
	Key         string
	Keyed       bool
	KeyHash     uint64
	EventTimeNS int64
	Task, Tasks int
}
