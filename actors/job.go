package actors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/fault"
	"github.com/millrace-io/millrace/internal/planted"
	"github.com/millrace-io/millrace/sinks"
)

// Status is where a job is in its life.
type Status uint8

const (
	// Starting: the first attempt is being deployed.
	Starting Status = iota
	// Running: records flow.
	Running
	// Restarting: an attempt failed; the next starts from the newest complete epoch after a back-off.
	Restarting
	// Stopping: a last epoch is being cut.
	Stopping
	// Stopped: the job was stopped and can be resumed.
	Stopped
	// Finished: the input ended and everything is out, or the batches that were asked for are complete.
	Finished
	// Failed: the job gave up; Err says why.
	Failed
)

// String gives the status's name.
func (s Status) String() string {
	return [...]string{"starting", "running", "restarting", "stopping", "stopped", "finished", "failed"}[s]
}

// Job supervises the tasks of one job: it starts and stops them, paces the epochs, and restores after a failure. It decides and
// its host acts, so a simulation runs the same job. The host's loop owns the fields below the line; the others may be read from
// any goroutine.
type Job struct {
	cfg         JobConfig
	host        host
	crew        *crew // the host, when tasks run on workers
	status      atomic.Uint32
	live        atomic.Pointer[Deployment]
	newest      atomic.Int64 // newest complete epoch
	inputEnded  atomic.Bool
	newestBatch atomic.Int64
	restarts    atomic.Int64 // attempts after the first
	unaligned   atomic.Int64 // epochs cut ahead of barriers
	readings    atomic.Pointer[[]Reading]
	epochStats  atomic.Pointer[EpochStats] // of the newest complete epoch
	done        chan struct{}
	err         error    // valid when done is closed
	writes      inFlight // records of epochs being written

	// Below: the loop's own, touched by its messages only.
	dep          *Deployment
	alive        []*Task    // of dep: those that have not terminated
	first        flow.Epoch // the next epoch's number; set by deploy, read after it
	coord        *barrier.Coordinator
	parts        map[flow.Epoch][]acked // until they are durable
	inFlight     epochInFlight
	timer        stopper
	failure      error // why the attempt is being ended
	stopping     bool
	finishing    int                // tasks whose sinks' Finish is awaited
	ended        bool               // the input has truly ended
	completed    bool               // all batches that were asked for are complete
	retries      int                // failed attempts since the last complete epoch
	failures     int                // those of them that count: not for a connection
	over         bool               // the tasks are being stopped because the job is
	cancelDeploy context.CancelFunc // of the newest deploy after a failure
	folding      bool
	writing      bool        // an epoch's record is being written, or the head is moved behind it
	held         *barrier.Do // the record that waits for it
	foldAtNS     int64
	batches
	savepoints
}

// StartJob deploys the first attempt and starts it. What is wrong comes back as an error, before any record flows. ctx
// bounds the start only.
func StartJob(ctx context.Context, cfg JobConfig) (*Job, error) {
	j := newJob(cfg)
	if cfg.Cluster == nil {
		j.host = newRegion(j, cfg.Name, cfg.StopTimeout)
	} else {
		j.crew = newCrew(j, cfg.Cluster)
		j.host = j.crew
	}
	d, err := j.deploy(ctx)
	if err != nil {
		ended := make(chan struct{})
		j.host.end(func() { close(ended) })
		<-ended
		return nil, err
	}
	j.tell(deployed{dep: d})
	return j, nil
}

func newJob(cfg JobConfig) *Job { return &Job{cfg: cfg, done: make(chan struct{})} }

// Messages of a job to itself.
type (
	deployed struct {
		dep *Deployment
		err error
	}
	recorded struct {
		coord *barrier.Coordinator // of the attempt that asked
		epoch flow.Epoch
		err   error
	}
	tick       struct{ coord *barrier.Coordinator }
	stopJob    struct{}
	terminated struct{ task *Task }
	taskBroken struct { // a task failed; err says which
		task *Task
		err  error
	}
	regionStopped struct{ stuck error }
	restart       struct{}
	headMoved     struct{} // or left where it is
	folded        struct{ err error }
	found         struct {
		dep    *Deployment
		group  int
		splits []flow.Split
		err    error
	}
)

func (j *Job) tell(msg any) { j.host.tell(msg) }

// Status says where the job is.
func (j *Job) Status() Status { return Status(j.status.Load()) }

// Restarts is how often a failed attempt was followed by another.
func (j *Job) Restarts() int64 { return j.restarts.Load() }

// Unaligned is how many epochs were cut ahead of barriers.
func (j *Job) Unaligned() int64 { return j.unaligned.Load() }

// NewestEpoch is the newest complete epoch, 0 for none.
func (j *Job) NewestEpoch() flow.Epoch { return flow.Epoch(j.newest.Load()) }

// Tasks lists the tasks of the attempt that runs, nil between two.
func (j *Job) Tasks() []*Task {
	if d := j.live.Load(); d != nil {
		return d.Tasks
	}
	return nil
}

// Reading is a task's counts.
type Reading struct {
	Chain        string
	Index, Count int
	Stats        *Stats
}

// Readings are the counts of the newest attempt's tasks, also when it has ended.
func (j *Job) Readings() []Reading {
	if r := j.readings.Load(); r != nil {
		return *r
	}
	return nil
}

// Stop asks for a last epoch and the end. It returns at once; Done tells.
func (j *Job) Stop() { j.tell(stopJob{}) }

// Done is closed when the job has ended and all its goroutines with it.
func (j *Job) Done() <-chan struct{} { return j.done }

// Err is why the job failed, nil otherwise. It is valid when Done is closed.
func (j *Job) Err() error { return j.err }

// handle takes one message.
func (j *Job) handle(msg any) {
	switch m := msg.(type) {
	case deployed:
		j.begin(m)
	case tick:
		if m.coord == j.coord && j.coord != nil {
			j.carry(j.coord.Tick(j.cfg.Now()))
		}
	case acked:
		j.acknowledged(m)
	case ended:
		if j.coord != nil && j.failure == nil {
			j.carry(j.coord.Ended(m.task, j.cfg.Now()))
		}
	case recorded:
		j.onRecorded(m)
	case batchPlanned:
		j.onPlanned(m)
	case batchRead:
		j.onBatchRead()
	case taskFinished:
		j.taskFinished()
	case stopJob:
		j.onStop()
	case askSavepoint:
		j.onAskSavepoint(m.ask)
	case dropSavepoint:
		j.onDropSavepoint(m.ask)
	case published:
		j.onPublished(m.epoch)
	case terminated:
		j.terminated(m.task)
	case taskBroken:
		j.endAttempt(m.err)
	case regionStopped:
		j.afterRegion(m.stuck)
	case restart:
		j.redeploy()
	case headMoved:
		j.onHeadMoved()
	case folded:
		j.folding = false
		if m.err != nil {
			j.cfg.Logger.Warn("fold of checkpoint deltas did not succeed; restores take longer until one does", "job", j.cfg.Name, "error", m.err)
		}
	case found:
		j.addSplits(m)
	case connection:
		j.connection(m)
	case notClosed:
		j.cfg.Logger.Warn("sink did not close cleanly", "job", j.cfg.Name, "operator", m.operator, "task", m.task, "error", m.err)
	}
}

// connection logs what happens to a source's connections: once when one is lost, once when it is back.
func (j *Job) connection(m connection) {
	log := j.cfg.Logger.With("job", j.cfg.Name, "operator", m.operator, "split", m.split)
	if m.err != nil {
		log.Warn("source lost its connection; it is opened again at the last position until it succeeds", "error", m.err)
		return
	}
	log.Info("source reads again")
}

// begin starts the tasks of a deployment, consumers first.
func (j *Job) begin(m deployed) {
	switch {
	case m.err != nil && (!j.stopping || fenced(m.err)):
		j.attemptFailed(m.err)
		return
	case j.stopping: // nothing flowed since the newest complete epoch
		if m.dep != nil {
			m.dep.Discard()
		}
		j.finish(Stopped, nil)
		return
	}
	j.dep, j.failure, j.parts = m.dep, nil, map[flow.Epoch][]acked{}
	j.over, j.ended, j.completed, j.finishing = false, false, false, 0
	j.live.Store(m.dep)
	j.read(m.dep)
	j.setStatus(Running)
	j.newest.Store(int64(j.first) - 1)
	j.newestBatch.Store(j.next - 1)
	now := j.cfg.Now()
	j.coord = barrier.NewCoordinator(j.coordinatorConfig(m.dep), now)
	j.foldAtNS = now + int64(j.cfg.FoldEvery)
	for _, t := range m.dep.Tasks {
		t.report = j.tell
		j.alive = append(j.alive, t)
		j.host.spawn(t)
	}
	j.discover(m.dep)
	j.arm()
}

// read lets others read the counts of d's tasks, which outlive them.
func (j *Job) read(d *Deployment) {
	all := make([]Reading, len(d.Tasks))
	for i, t := range d.Tasks {
		all[i] = Reading{t.Chain, t.Index, t.Count, t.Stats}
	}
	j.readings.Store(&all)
}

// arm sets the timer for the coordinator's next wish.
func (j *Job) arm() {
	if j.timer != nil {
		j.timer.Stop()
		j.timer = nil
	}
	if j.coord == nil || j.failure != nil {
		return
	}
	if next := j.coord.NextNS(); next != never {
		coord := j.coord
		j.timer = j.host.after(max(time.Duration(next-j.cfg.Now()), 0), tick{coord})
	}
}

// carry carries out what the coordinator decided.
func (j *Job) carry(dos []barrier.Do) {
	for _, d := range dos {
		switch d.Kind {
		case barrier.Start:
			j.trigger(d)
		case barrier.Record:
			j.record(d)
		case barrier.Commit:
			j.committed(d)
		case barrier.Abandoned:
			j.cfg.Logger.Warn("epoch abandoned", "job", j.cfg.Name, "epoch", d.Epoch, "error", d.Err)
		case barrier.Fail:
			j.endAttempt(d.Err)
		case barrier.Unalign:
			j.unalign(d)
		case barrier.Plan:
			j.plan()
		case barrier.Read:
			j.readBatch()
		case barrier.Flow:
			j.toSources(func(string) any { return flowOn{} })
		case barrier.Finish:
			j.lastEpochDone(d.Ended, d.Done)
		}
	}
	j.arm()
}

// trigger tells all source tasks to cut.
func (j *Job) trigger(d barrier.Do) {
	j.inFlight = epochInFlight{startNS: j.cfg.Now()}
	fault.Point("epoch/begun")
	j.toSources(func(string) any { return trigger{flow.BarrierOf(d.Epoch, d.Batch), d.Last} })
}

// unalign tells all tasks to cut an epoch without waiting for its barriers.
func (j *Job) unalign(d barrier.Do) {
	j.unaligned.Add(1)
	j.inFlight.unaligned = true
	for _, t := range j.dep.Tasks {
		j.host.send(t, unalign{d.Epoch, d.Batch})
	}
}

func (j *Job) acknowledged(m acked) {
	if j.coord == nil || j.failure != nil {
		return
	}
	j.inFlight.alignNS = max(j.inFlight.alignNS, m.alignNS)
	if len(m.blocks) > 0 {
		j.parts[m.epoch] = append(j.parts[m.epoch], m)
	}
	j.carry(j.coord.Ack(m.task, m.epoch, j.cfg.Now()))
}

// record makes the epoch durable on an I/O goroutine: the parts of all tasks in one segment, in its slot. Under
// at-most-once there is nothing to write: when all tasks have answered the lanes are empty and the sinks have flushed.
// The head is moved when the epoch's output is on its way already; a record that is due before waits.
func (j *Job) record(d barrier.Do) {
	if j.writing {
		j.held = &d
		return
	}
	fault.Point("epoch/acknowledged")
	if j.cfg.Log == nil {
		j.tell(recorded{j.coord, d.Epoch, nil})
		return
	}
	var blocks []delta.Block
	for e := d.From; e <= d.Epoch; e++ {
		for _, p := range j.parts[e] {
			blocks = append(blocks, p.blocks...)
		}
	}
	for _, t := range j.dep.Tasks {
		if t.commits() && planted.On("commit-before-the-record") {
			j.host.send(t, completed{epoch: d.Epoch})
		}
	}
	coord, log, e, meta := j.coord, j.cfg.Log, d.Epoch, j.meta(d)
	j.writing = true
	j.writes.begin()
	j.host.goIO(func() {
		err := log.Complete(context.Background(), e, blocks, meta)
		j.tell(recorded{coord, e, err})
		if err == nil {
			_ = log.MoveHead(context.Background()) // the next record tries again, and has the error
		}
		j.tell(headMoved{})
		j.writes.end()
	})
}

// onHeadMoved goes on with the record that waited, unless its attempt is over.
func (j *Job) onHeadMoved() {
	d := j.held
	if j.writing, j.held = false, nil; d != nil && j.coord != nil && j.failure == nil {
		j.record(*d)
	}
}

func (j *Job) onRecorded(m recorded) {
	if m.coord != j.coord || j.coord == nil || j.failure != nil {
		return
	}
	if fenced(m.err) {
		m.err = fmt.Errorf("%w: %w", barrier.ErrFenced, m.err)
	}
	if m.err != nil && planted.On("parts-of-a-failed-record-forgotten") {
		delete(j.parts, m.epoch)
	}
	j.carry(j.coord.Recorded(m.epoch, m.err, j.cfg.Now()))
}

// committed forgets the parts that are durable; until then a record that does not succeed is carried into the next.
func (j *Job) committed(d barrier.Do) {
	fault.Point("epoch/complete")
	e := d.Epoch
	j.batchComplete(d.Batch)
	for old, parts := range j.parts {
		if old > e {
			continue
		}
		delete(j.parts, old)
		for _, p := range parts {
			j.host.send(j.dep.Tasks[p.task], recycle{p.blocks})
		}
	}
	for _, t := range j.dep.Tasks {
		if t.commits() && !planted.On("commit-not-asked-for") {
			j.host.send(t, completed{e, d.Savepoint})
		}
	}
	if j.cfg.Log == nil {
		return
	}
	j.newest.Store(int64(e))
	j.completedStats(d)
	j.retries, j.failures = 0, 0
	if d.Savepoint {
		j.save(e)
	}
	if now := j.cfg.Now(); now >= j.foldAtNS && !j.folding {
		j.folding, j.foldAtNS = true, now+int64(j.cfg.FoldEvery)
		j.host.goIO(func() { j.tell(folded{j.cfg.Log.Fold(context.Background())}) })
	}
}

// fenced says whether an error means that another run of the job took over.
func fenced(err error) bool {
	return errors.Is(err, checkpoint.ErrTaken) || errors.Is(err, checkpoint.ErrFenced) || errors.Is(err, sinks.ErrFenced)
}

func (j *Job) setStatus(s Status) { j.status.Store(uint32(s)) }
