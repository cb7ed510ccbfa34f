package millrace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/checkpoint/dirstore"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/state"
	"github.com/millrace-io/millrace/state/badgerstate"
)

// Start checks the topology, the configuration and the ends, finds the newest complete epoch in the state directory, and
// starts the job from it. Everything that is wrong is one error, before any record flows. When ctx ends the job stops as
// with Query.Stop.
func (j *Job) Start(ctx context.Context, c Config) (*Query, error) { return j.start(ctx, c, nil) }

// start is Start with another measure of free disk space.
func (j *Job) start(ctx context.Context, c Config, free func(dir string) (int64, error)) (*Query, error) {
	c = j.paced(c).withDefaults()
	c.spread = c.Cluster != nil
	if j.started {
		return nil, j.wrong([]error{errors.New("already started; build the topology anew to run it twice")})
	}
	d, err := j.rehearse(ctx, c)
	if err != nil {
		return nil, err
	}
	j.started, d.free = true, free
	q, err := j.launch(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("start job %q: %w", j.name, err)
	}
	return q, nil
}

// rehearse finds everything that is wrong with the job and its configuration, which has its defaults, before any record flows.
func (j *Job) rehearse(ctx context.Context, c Config) (*deployment, error) {
	if err := j.wrong(append(c.validate(), j.boundless(c.Trigger)...)); err != nil {
		return nil, err
	}
	d := &deployment{job: j, config: c, rehearsal: true, keyGroups: c.KeyGroups, now: processingTime}
	var err error
	if d.plan, err = j.compile(c); err != nil {
		return nil, err
	}
	if _, err := d.build(); err != nil {
		return nil, j.wrong([]error{err})
	}
	return d, j.check(ctx, c)
}

// processStart anchors processing time: the wall clock when the process started plus the monotonic time since. It never
// steps back, whatever is done to the wall clock, and is the same in all tasks.
var processStart = time.Now()

func processingTime() int64 { return processStart.UnixNano() + int64(time.Since(processStart)) }

// check asks the ends whether they are there and as configured; a worker those that it may run.
func (j *Job) check(ctx context.Context, c Config) error {
	var faults []error
	for _, s := range j.steps {
		if c.away && s.atHome() {
			continue
		}
		for _, check := range s.checks {
			if err := check(ctx); err != nil {
				faults = append(faults, fmt.Errorf("operator %q: %w", s.ID, err))
			}
		}
	}
	return j.wrong(faults)
}

// launch opens the lineage and starts the job actor. rehearsal is the plan as it was checked.
func (j *Job) launch(ctx context.Context, rehearsal *deployment) (_ *Query, err error) {
	c := rehearsal.config
	q := &Query{job: j, keyGroups: c.KeyGroups}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.release())
		}
	}()
	if err := q.open(ctx, rehearsal); err != nil {
		return nil, err
	}
	rehearsal.keyGroups = q.keyGroups
	j.announce(c, q)
	run := rehearsal.jobConfig(q.log)
	run.Build, run.Now = q.builder(rehearsal), processingTime
	if c.Cluster != nil {
		run.Build, run.Cluster = rehearsal.standIns(q.log), q.enlist(rehearsal)
	}
	q.run, err = actors.StartJob(ctx, run)
	if err != nil {
		return nil, err
	}
	q.watch(ctx)
	return q, nil
}

// jobConfig is how the job runs on log, but for what builds its tasks and for its clock.
func (d *deployment) jobConfig(log *checkpoint.Log) actors.JobConfig {
	c := d.config
	return actors.JobConfig{
		Name: d.job.name, Log: log, Mode: c.mode(), Batches: c.batchConfig(),
		CommitEvery: c.CommitEvery, FoldEvery: c.CheckpointEvery, UnalignAfter: c.unalignAfter(), EpochTimeout: c.EpochTimeout, FailuresMax: c.EpochFailuresMax,
		RestartsMax: c.RestartsMax, RestartMin: c.RestartMin, RestartMax: c.RestartMax, StopTimeout: stopTimeout, Logger: c.Logger,
	}
}

// logOptions says which lineage the rehearsed job goes on with, but for its store.
func (d *deployment) logOptions() checkpoint.Options {
	var ids []string
	for _, s := range d.job.steps {
		ids = append(ids, s.ID)
	}
	return checkpoint.Options{
		Job: d.job.name, KeyGroups: d.config.KeyGroups, Retain: d.config.RetainEpochs,
		Plan:   checkpoint.Plan{Hash: d.plan.Hash(), Operators: ids, Schemas: d.schemas()},
		Evolve: d.evolve,
	}
}

// attemptOf is the building of an attempt of the rehearsed job, on log.
func (d *deployment) attemptOf(ctx context.Context, attempt flow.Attempt, log *checkpoint.Log, now func() int64) *deployment {
	a := &deployment{job: d.job, plan: d.plan, config: d.config, ctx: ctx, attempt: attempt, keyGroups: d.keyGroups, now: now}
	if log != nil {
		a.lineage, a.keyGroups = log.Lineage(), log.KeyGroups()
	}
	return a
}

// open finds the state: the lineage's log, and the working store of the disk backend.
func (q *Query) open(ctx context.Context, r *deployment) (err error) {
	c := r.config
	dir := c.StateDir
	if dir == "" && (c.Guarantee != AtMostOnce || c.State == Badger) {
		if dir, err = os.MkdirTemp("", "millrace-"+q.job.name+"-"); err != nil {
			return fmt.Errorf("make a temporary state directory: %w", err)
		}
		q.temporary = dir
	}
	q.disk.dir = filepath.Join(dir, "working")
	if c.Guarantee == AtMostOnce {
		return nil
	}
	if q.store, err = dirstore.OpenConfig(dirstore.Config{Dir: filepath.Join(dir, "checkpoints"), FreeBytesMin: c.FreeBytesMin, Free: r.free}); err != nil {
		return err
	}
	if q.from, err = c.savepoint(); err != nil {
		return err
	}
	o := r.logOptions()
	o.Store = q.store
	if q.from != nil {
		o.From, o.Without = q.from, []string{actors.PreparedState} // what was prepared up to a savepoint is public
	}
	if q.log, err = checkpoint.Open(ctx, o); err != nil {
		return err
	}
	q.keyGroups, q.id = q.log.KeyGroups(), q.log.Lineage()
	return nil
}

// savepoint opens the savepoint that a new lineage begins with, nil when it begins empty.
func (c Config) savepoint() (*dirstore.Store, error) {
	if c.FromSavepoint == "" {
		return nil, nil
	}
	return dirstore.OpenSavepoint(c.FromSavepoint)
}

// builder makes the tasks of each attempt. The disk backend's working store is wiped: checkpoints are the truth.
func (q *Query) builder(r *deployment) func(context.Context, flow.Attempt) (*actors.Deployment, error) {
	return func(ctx context.Context, attempt flow.Attempt) (*actors.Deployment, error) {
		d := r.attemptOf(ctx, attempt, q.log, processingTime)
		if err := q.disk.into(d); err != nil {
			return nil, err
		}
		return d.build()
	}
}

// workingStore is the disk backend's store of a process.
type workingStore struct {
	dir string
	db  *badgerstate.DB
}

// into gives d's tasks an empty store, when their state is kept on disk.
func (w *workingStore) into(d *deployment) error {
	if d.config.State != Badger {
		return nil
	}
	if err := w.close(); err != nil {
		return err
	}
	db, err := badgerstate.Open(badgerstate.Config{Dir: w.dir, CacheBytes: d.config.badgerBytes(), FreeBytesMin: d.config.FreeBytesMin})
	if err != nil {
		return err
	}
	w.db = db
	d.bytes = func(task string) (state.ByteStores, error) { return db.Task(task), nil }
	return nil
}

func (w *workingStore) close() error {
	if w.db == nil {
		return nil
	}
	err := w.db.Close()
	w.db = nil
	return err
}

// announce says at start what is promised, and of what.
func (j *Job) announce(c Config, q *Query) {
	log := c.Logger.With("job", j.name)
	if c.Trigger.batches() {
		j.announceBatches(c, log)
	}
	if c.Guarantee == AtMostOnce {
		log.Info("at-most-once: no epochs are recorded; a failure ends the job, and the next start begins with empty state")
		return
	}
	where := c.StateDir
	if q.temporary != "" {
		where = "a temporary directory: the next process begins anew"
	}
	epoch := flow.Epoch(0)
	if e, ok := q.log.Newest(); ok {
		epoch = e.Number
	}
	log.Info("state is "+c.Guarantee.String(), "state_dir", where, "epoch", epoch, "lineage", q.id)
	if c.FromSavepoint != "" && epoch == 0 {
		log.Info("a new lineage begins from a savepoint", "savepoint", c.FromSavepoint)
	}
	for _, s := range j.steps {
		if s.splits != nil && !s.splits.replayable {
			log.Info("source cannot be read again: records it gave after the newest complete epoch are lost when an attempt fails", "operator", s.ID)
		}
		if g, ok := s.sink.(sinks.Guarantor); ok {
			log.Info("sink is "+g.Guarantee(), "operator", s.ID)
		}
	}
}
