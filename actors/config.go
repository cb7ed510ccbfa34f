package actors

import (
	"context"
	"log/slog"
	"time"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
)

// JobConfig is what a job actor runs. All durations are positive.
type JobConfig struct {
	Name  string
	Log   *checkpoint.Log // nil: at most once; epochs are not recorded, and the only one drains the job before it ends
	Mode  barrier.Mode
	Build func(ctx context.Context, attempt flow.Attempt) (*Deployment, error) // makes the tasks of an attempt, not started
	// Cluster runs the tasks; those that Build makes stand for them and are all Away. nil: they run in this process.
	Cluster *Cluster

	CommitEvery   time.Duration // between two epochs
	FoldEvery     time.Duration // between two folds of deltas into a base, and between two triggers in real time
	Batches       BatchConfig
	UnalignAfter  time.Duration // after which an epoch is cut ahead of the barriers that have not come; 0: never
	EpochTimeout  time.Duration // after which a running epoch is abandoned
	FailuresMax   int           // abandoned epochs in a row that fail the attempt
	RestartsMax   int           // failed attempts in a row without a complete epoch between them, lost connections not counted; then the job fails. Negative: no restart at all
	RestartMin    time.Duration // wait before the first restart; doubles with each that follows without a complete epoch
	RestartMax    time.Duration // longest wait before a restart
	StopTimeout   time.Duration // how long I/O goroutines of an ended attempt are waited for; then the job fails
	Logger        *slog.Logger
	Now           func() int64 // Unix nanoseconds
	BeforeRestart func()       // for tests: called when a failed region has stopped
}

// Deployment is an attempt's tasks, in an order in which consumers stand before their producers.
type Deployment struct {
	Tasks  []*Task
	Groups []SourceGroup
	Sinks  []SinkGroup        // the transactional ones
	Stores map[string][]*Task // operator id to the tasks that hold its state, by index
	// KeyGroups is the lineage's number of key groups.
	KeyGroups int

	assign    func(*Task, []assigned) // gives a source task its first splits; nil: the task is of this process
	triggered bool                    // the end of a batch means something to a task that is Away
}

// SourceGroup is a source operator with its tasks.
type SourceGroup struct {
	ID            string
	Splits        func(ctx context.Context, known []string) ([]flow.Split, error)
	DiscoverEvery time.Duration // 0: all splits are known at start
	Tasks         []*Task

	known  []string // ids of the splits dealt
	counts []int    // splits per task
}
