package millrace

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/checkpoint/dirstore"
	"github.com/millrace-io/millrace/flow"
)

// Status is where a query is in its life.
type Status = actors.Status

// The statuses of a query.
const (
	Starting   = actors.Starting
	Running    = actors.Running
	Restarting = actors.Restarting
	Stopping   = actors.Stopping
	Stopped    = actors.Stopped
	Finished   = actors.Finished
	Failed     = actors.Failed
)

// Query is the handle of a running job. Its methods may be called from any goroutine.
type Query struct {
	job       *Job
	run       *actors.Job
	id        string
	keyGroups int
	log       *checkpoint.Log
	store     *dirstore.Store
	from      *dirstore.Store // the savepoint of Config.FromSavepoint, or nil
	disk      workingStore
	home      *homeWorker // with Config.Cluster
	temporary string      // state directory to remove at the end
	done      chan struct{}
	err       error
}

// ID identifies the lineage: it stays the same when the job is started again from its state.
func (q *Query) ID() string { return q.id }

// Name is the job's name.
func (q *Query) Name() string { return q.job.name }

// Status says where the query is.
func (q *Query) Status() Status { return q.run.Status() }

// Err is why the query failed, nil while it runs or when it ended well.
func (q *Query) Err() error {
	select {
	case <-q.done:
		return q.err
	default:
		return nil
	}
}

// Done is closed when the query has ended.
func (q *Query) Done() <-chan struct{} { return q.done }

// Await waits until the query has ended, or ctx, and returns why it failed, nil when it did not.
func (q *Query) Await(ctx context.Context) error {
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop cuts a last epoch, ends the query and waits for it, at most as long as ctx lives. Windows and state stay open: the
// next start goes on from here.
func (q *Query) Stop(ctx context.Context) error {
	q.run.Stop()
	return q.Await(ctx)
}

// watch stops the query when ctx ends, and cleans up behind it.
func (q *Query) watch(ctx context.Context) {
	q.done = make(chan struct{})
	cancel := context.AfterFunc(ctx, q.run.Stop)
	go func() {
		<-q.run.Done()
		cancel()
		q.err = errors.Join(q.run.Err(), q.release())
		close(q.done)
	}()
}

// release gives back the state directory.
func (q *Query) release() error {
	var errs []error
	if q.home != nil {
		q.home.close()
	}
	if q.log != nil {
		errs = append(errs, q.log.Close())
	}
	errs = append(errs, q.disk.close())
	for _, s := range []*dirstore.Store{q.store, q.from} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if q.temporary != "" {
		errs = append(errs, os.RemoveAll(q.temporary))
	}
	return errors.Join(errs...)
}

// Progress is a reading of what a query has done since its process started.
type Progress struct {
	At       time.Time
	Status   Status
	Epoch    flow.Epoch // newest complete epoch
	Batch    int64      // newest complete batch, of all runs; they count from 0, so -1 is none. See Trigger
	Ended    bool       // all input has ended, for good
	Restarts int64      // failed attempts that were followed by another
	// LastEpoch is how the newest complete epoch went; zero before the first of this process.
	LastEpoch EpochProgress
	// UnalignedEpochs is how many epochs were cut ahead of barriers (Config.UnalignAfter).
	UnalignedEpochs int64
	Operators       []OperatorProgress
	// Checkpoint says what the last epochs cost; zero under at-most-once.
	Checkpoint checkpoint.Stats
}

// EpochProgress is how an epoch went.
type EpochProgress = actors.EpochStats

// OperatorProgress is what the tasks of one chain have done in the newest attempt. Records and dead letters are counted as
// they come, the rest is up to 100 ms old while the job runs; when the query has ended all of it is final.
type OperatorProgress struct {
	ID          string // of the chain's head
	Tasks       int
	RecordsIn   int64
	RecordsOut  int64 // handed to sinks
	Filtered    int64
	DeadLetters int64
	Late        int64 // dropped behind the watermark
	// ChannelRecords were on their way to the tasks when epochs were cut ahead of barriers, and are part of these.
	ChannelRecords int64
	StateEntries   int64
	StateBytes     int64
}

// Progress reads the counters. It costs the running tasks nothing.
func (q *Query) Progress() Progress {
	p := Progress{At: time.Now(), Status: q.run.Status(), Epoch: q.run.NewestEpoch(), Batch: q.run.NewestBatch(), Ended: q.run.Ended(), Restarts: q.run.Restarts(), UnalignedEpochs: q.run.Unaligned()}
	p.LastEpoch, _ = q.run.NewestEpochStats()
	if q.log != nil {
		p.Checkpoint = q.log.Stats()
	}
	at := map[string]int{}
	for _, t := range q.run.Readings() {
		i, ok := at[t.Chain]
		if !ok {
			i = len(p.Operators)
			at[t.Chain] = i
			p.Operators = append(p.Operators, OperatorProgress{ID: t.Chain, Tasks: t.Count})
		}
		o := &p.Operators[i]
		o.RecordsIn += t.Stats.RecordsIn.Load()
		o.RecordsOut += t.Stats.RecordsOut.Load()
		o.Filtered += t.Stats.Filtered.Load()
		o.DeadLetters += t.Stats.DeadLetters.Load()
		o.Late += t.Stats.Late.Load()
		o.ChannelRecords += t.Stats.ChannelRecords.Load()
		o.StateEntries += t.Stats.StateEntries.Load()
		o.StateBytes += t.Stats.StateBytes.Load()
	}
	return p
}
