package millrace

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/plan"
)

// Guarantee says what a restart may do to state and to what sinks have been given.
type Guarantee uint8

const (
	// ExactlyOnce state: every record counts once, also after a crash. Lanes are aligned at barriers.
	ExactlyOnce Guarantee = iota
	// AtLeastOnce state: after a crash records may count twice. Barriers are not aligned.
	AtLeastOnce
	// AtMostOnce: nothing is recorded. A failure ends the job; the next start has empty state and sources begin where they are
	// configured to. At the end of input and at a stop all records that were processed reach their sinks all the same.
	AtMostOnce
)

// String gives the guarantee's name.
func (g Guarantee) String() string {
	switch g {
	case ExactlyOnce:
		return "exactly-once"
	case AtLeastOnce:
		return "at-least-once"
	case AtMostOnce:
		return "at-most-once"
	}
	return fmt.Sprintf("guarantee %d", uint8(g))
}

// StateBackend says where live state is kept.
type StateBackend uint8

const (
	// Memory keeps live state in tables on the heap that the collector skips: tens of nanoseconds an access.
	Memory StateBackend = iota
	// Badger keeps live state on disk behind a cache, for state larger than memory: microseconds an access that misses.
	Badger
)

// String gives the backend's name.
func (b StateBackend) String() string {
	if b == Badger {
		return "badger"
	}
	return "memory"
}

// Config is how a job runs: tuning, not topology. The zero value works.
type Config struct {
	// StateDir holds the job's checkpoints: a start finds the newest complete epoch there and goes on from it. Empty means a
	// temporary directory that is removed when the job ends: restarts inside the process go on, the next process begins anew.
	StateDir string
	// FromSavepoint is the directory of a savepoint with which a new lineage begins: its state, positions and time, with an id of its own,
	// so sinks take its output for that of another job. StateDir must be empty, or have been begun from the same savepoint: then the job goes
	// on from StateDir, so that a command line can be repeated. The job may have another name, and the topology may have changed
	// as it may between two starts. The state is read and written once, as a restore does.
	FromSavepoint string
	// State is where live state is kept; the default is Memory.
	State StateBackend
	// CacheBytes bounds what the Badger backend keeps in memory; 0 means 256 MiB. Half of it is Badger's own, the other half goes
	// in equal parts to the caches in front of it, one for each task with keyed operators, of all chains together.
	CacheBytes int64
	// Guarantee of the state; the default is ExactlyOnce. What a sink adds to it is in the sink's documentation.
	Guarantee Guarantee

	// Trigger says when batches begin and end; the default is RealTime(0): records flow as they come.
	Trigger Trigger
	// MaxRecordsPerBatch is the most records that a batch takes of each split; 0 is no limit. Sources of files have a limit of
	// files instead. In real time, and for Once, it has no meaning. Fewer than MaxRecordsPerBatch are taken where some of what is
	// counted is no record, such as a gap in a compacted Kafka partition.
	MaxRecordsPerBatch int64

	// CheckpointEvery is how often the changes of the epochs are looked at and, where enough of a size have come together, folded
	// into larger files in the background: a restore reads at most about twice the state, and the epochs since. 0 means 1 s,
	// at least 10 ms.
	CheckpointEvery time.Duration
	// CommitEvery is the time between two epochs, at least 10 ms. 0 means 20 ms when a sink publishes its output with each epoch
	// (sinks.PerEpoch), else CheckpointEvery.
	CommitEvery time.Duration
	// RetainEpochs is how many complete epochs stay in the state directory, the newest included; 0 means 2, at most 1000. A start
	// always goes on from the newest; a savepoint is what stays for as long as its owner wants.
	RetainEpochs int
	// FreeBytesMin is the space that must be left on the disk of StateDir: while there is less, epochs are abandoned, as those that take
	// too long, and their changes go into the next. 0 means 64 MiB, and 1 GiB beside Badger's working store, which on a full disk would kill
	// the process; negative: none, which Badger does not allow.
	FreeBytesMin int64
	// UnalignAfter is how long after its start an epoch is cut ahead of barriers that have not arrived, with the records on their way as
	// part of it: under back-pressure an epoch does not wait until these are processed. 0 means 50 ms, negative: never. At-least-once
	// waits for no barrier. Last epochs, and those that end a batch where operators or sinks act on batches, are always aligned.
	UnalignAfter time.Duration
	// EpochTimeout is how long an epoch may take before it is abandoned and its changes go into the next; 0 means 30 s. The
	// epoch that drains the job at its end, also under AtMostOnce, is one of them.
	EpochTimeout time.Duration
	// EpochFailuresMax is how many epochs in a row may be abandoned before the attempt fails; 0 means 3.
	EpochFailuresMax int

	// Parallelism of sources and of operators behind a KeyBy; 0 means the number of processors.
	Parallelism int
	// Operators tunes single operators by id. An id the job does not have is an error.
	Operators map[string]OperatorConfig
	// KeyGroups is the number of key groups of a new lineage, a power of two up to 32768; 0 means 128. It bounds the
	// parallelism for the life of the state. An existing lineage keeps its own.
	KeyGroups int

	// BatchRecords is the most records that travel together; 0 means 256. A task that would wait sends what it has.
	BatchRecords int
	// LaneBatches is how many batches a lane holds before its producer has to wait; 0 means 16.
	LaneBatches int

	// RestartsMax is how many attempts in a row may fail without a complete epoch between them; 0 means 10, negative: no restart at
	// all. Connections that broke or could not be made (sources.ErrDisconnected, errors of package net) do not count: a job that has
	// started outlives an outage of its brokers, however long, and logs each try.
	RestartsMax int
	// RestartMin is the wait before the first restart, doubled for each that follows; 0 means 100 ms.
	RestartMin time.Duration
	// RestartMax is the longest wait before a restart; 0 means 10 s.
	RestartMax time.Duration

	// Cluster runs the job's tasks on workers; nil: in this process. Sinks, and sources that are not sources.Portable, run in this process all the same.
	// State and records are the same either way.
	Cluster Cluster
	// spread says that tasks run on workers, away that this is one of them.
	spread, away bool

	// Logger gets what a person running the job should know; nil discards it. Nothing is logged per record.
	Logger *slog.Logger
}

// OperatorConfig tunes one operator.
type OperatorConfig struct {
	Parallelism int // number of tasks; 0 leaves it to the topology and Config.Parallelism
}

const (
	intervalMin        = 10 * time.Millisecond
	defaultCheckpoint  = time.Second
	defaultUnalign     = 50 * time.Millisecond
	defaultTimeout     = 30 * time.Second
	defaultFailuresMax = 3
	defaultRetain      = 2
	defaultRestartsMax = 10
	defaultRestartMin  = 100 * time.Millisecond
	defaultRestartMax  = 10 * time.Second
	defaultBatch       = 256
	defaultLane        = 16
	defaultCacheBytes  = 256 << 20
	stopTimeout        = 30 * time.Second
)

// withDefaults is c with every zero replaced by its default.
func (c Config) withDefaults() Config {
	orDuration := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	orInt := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	if c.Trigger.kind == realTime {
		orDuration(&c.CheckpointEvery, c.Trigger.interval)
	}
	orDuration(&c.CheckpointEvery, defaultCheckpoint)
	orDuration(&c.CommitEvery, c.CheckpointEvery)
	orDuration(&c.UnalignAfter, defaultUnalign)
	orDuration(&c.EpochTimeout, defaultTimeout)
	orDuration(&c.RestartMin, defaultRestartMin)
	orDuration(&c.RestartMax, defaultRestartMax)
	orInt(&c.EpochFailuresMax, defaultFailuresMax)
	orInt(&c.RetainEpochs, defaultRetain)
	orInt(&c.RestartsMax, defaultRestartsMax)
	orInt(&c.Parallelism, runtime.GOMAXPROCS(0))
	orInt(&c.KeyGroups, flow.DefaultKeyGroups)
	orInt(&c.BatchRecords, defaultBatch)
	orInt(&c.LaneBatches, defaultLane)
	if c.CacheBytes == 0 {
		c.CacheBytes = defaultCacheBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return c
}

// unalignAfter is UnalignAfter as the engine wants it: 0 for never.
func (c Config) unalignAfter() time.Duration { return max(c.UnalignAfter, 0) }

// validate names every field that is wrong, with the rule. It expects withDefaults.
func (c Config) validate() (faults []error) {
	want := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	want(c.CheckpointEvery >= intervalMin, "CheckpointEvery is %v, want at least %v", c.CheckpointEvery, intervalMin)
	want(c.CommitEvery >= intervalMin, "CommitEvery is %v, want at least %v", c.CommitEvery, intervalMin)
	want(c.CommitEvery <= c.CheckpointEvery, "CommitEvery is %v, want at most CheckpointEvery, which is %v", c.CommitEvery, c.CheckpointEvery)
	want(c.MaxRecordsPerBatch >= 0, "MaxRecordsPerBatch is %d, want at least 0", c.MaxRecordsPerBatch)
	if err := c.Trigger.faults(); err != nil {
		faults = append(faults, err)
	}
	if c.Trigger.batches() && c.CommitEvery != c.CheckpointEvery {
		faults = append(faults, errCommitEvery)
	}
	want(c.EpochTimeout > 0, "EpochTimeout is %v, want more than 0", c.EpochTimeout)
	want(c.EpochFailuresMax > 0, "EpochFailuresMax is %d, want at least 1", c.EpochFailuresMax)
	want(c.FromSavepoint == "" || c.Guarantee != AtMostOnce, "FromSavepoint is %q, and at-most-once begins with empty state", c.FromSavepoint)
	want(c.RetainEpochs > 0 && c.RetainEpochs <= checkpoint.RetainMax, "RetainEpochs is %d, want 1 to %d", c.RetainEpochs, checkpoint.RetainMax)
	want(c.FreeBytesMin >= 0 || c.State != Badger, "FreeBytesMin is %d, want at least 0 with Badger, which a full disk would kill", c.FreeBytesMin)
	want(c.Parallelism > 0, "Parallelism is %d, want at least 1", c.Parallelism)
	want(c.BatchRecords > 0 && c.BatchRecords <= 1<<16, "BatchRecords is %d, want 1 to 65536", c.BatchRecords)
	want(c.LaneBatches > 0 && c.LaneBatches <= 1<<16, "LaneBatches is %d, want 1 to 65536", c.LaneBatches)
	want(c.KeyGroups > 0 && c.KeyGroups <= flow.MaxKeyGroups && c.KeyGroups&(c.KeyGroups-1) == 0, "KeyGroups is %d, want a power of two up to %d", c.KeyGroups, flow.MaxKeyGroups)
	want(c.Guarantee <= AtMostOnce, "Guarantee is %v, want ExactlyOnce, AtLeastOnce or AtMostOnce", c.Guarantee)
	want(c.State <= Badger, "State is %d, want Memory or Badger", c.State)
	want(c.CacheBytes >= 1<<20, "CacheBytes is %d, want at least 1 MiB", c.CacheBytes)
	want(c.RestartMin > 0 && c.RestartMin <= c.RestartMax, "RestartMin is %v and RestartMax %v, want 0 < RestartMin <= RestartMax", c.RestartMin, c.RestartMax)
	for id, o := range c.Operators {
		want(o.Parallelism >= 0, "Operators[%q].Parallelism is %d, want at least 0", id, o.Parallelism)
	}
	return faults
}

// badgerBytes is Badger's half of CacheBytes.
func (c Config) badgerBytes() int64 { return c.CacheBytes / 2 }

// cacheBytes is what the cache of each of so many keyed tasks gets of the other half.
func (c Config) cacheBytes(tasks int) int64 {
	return max((c.CacheBytes-c.badgerBytes())/int64(max(tasks, 1)), 1)
}

func (c Config) planOptions() plan.Options {
	o := plan.Options{Default: c.Parallelism, Groups: c.KeyGroups, Tasks: map[string]int{}, SinksApart: c.spread}
	for id, op := range c.Operators {
		o.Tasks[id] = op.Parallelism
	}
	return o
}

func (c Config) mode() barrier.Mode {
	if c.Guarantee == ExactlyOnce {
		return barrier.ExactlyOnce
	}
	return barrier.AtLeastOnce
}
