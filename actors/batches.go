package actors

import (
	"github.com/millrace-io/millrace/barrier"
	"github.com/millrace-io/millrace/flow"
)

// BatchConfig is how a job's input is divided into batches.
type BatchConfig struct {
	barrier.BatchConfig       // Planned and Unrecorded are the job's own to set
	EveryNS             int64 // the time between two batches; 0: one follows the other
	Max                 int64 // records (of sources of files: files) of a split in a batch; 0: no limit
	Whole               bool  // whatever limits a source has of its own
	FixedEnds           bool  // read nothing behind the ends that the splits have at the start
}

// batches is the job actor's part of dividing the input: it gathers what the sources answer.
type batches struct {
	batchPlan
	asked   int                  // numbers the questions to the sources
	answers int                  // answers that are awaited
	some    bool                 // a source has something
	targets map[string]batchEnds // by source, with FixedEnds: the ends at the job's start, also for later attempts
	fixing  map[string]batchEnds // these, while they are gathered
}

// coordinatorConfig says how the attempt that begins is paced.
func (j *Job) coordinatorConfig(d *Deployment) barrier.CoordinatorConfig {
	c := barrier.CoordinatorConfig{
		Tasks: len(d.Tasks), First: j.first, EveryNS: int64(j.cfg.CommitEvery), TriggerNS: int64(j.cfg.FoldEvery),
		UnalignAfterNS: int64(j.cfg.UnalignAfter), Triggered: d.triggers(), TimeoutNS: int64(j.cfg.EpochTimeout), FailuresMax: j.cfg.FailuresMax, Batch: j.next, BatchConfig: j.cfg.Batches.BatchConfig,
	}
	c.Planned, c.Unrecorded = j.planned, j.cfg.Log == nil
	if c.Unrecorded || j.cfg.Mode == barrier.AtLeastOnce { // nothing is held back
		c.UnalignAfterNS = 0
	}
	switch {
	case c.Batches:
		c.EveryNS = j.cfg.Batches.EveryNS
	case j.cfg.Log != nil:
	case d.triggers():
		c.EveryNS = c.TriggerNS
	default:
		c.EveryNS, c.TriggerNS = 0, 0 // only the last, which drains
	}
	return c
}

// triggers says whether the end of a batch means something to an operator or a sink of the attempt.
func (d *Deployment) triggers() bool {
	if d.triggered {
		return true
	}
	for _, t := range d.Tasks {
		if len(t.Env.Triggered()) > 0 {
			return true
		}
		for _, s := range t.sinks {
			if s.endsBatches() {
				return true
			}
		}
	}
	return false
}

// toSources sends msg to all tasks of a source, or of all sources: it is made for each source.
func (j *Job) toSources(msg func(source string) any) (sent int) {
	for _, g := range j.dep.Groups {
		for _, t := range g.Tasks {
			j.host.send(t, msg(g.ID))
			sent++
		}
	}
	return sent
}

// plan asks the sources where the next batch should end.
func (j *Job) plan() {
	j.asked++
	j.planned, j.some, j.ends, j.fixing = false, false, map[string]batchEnds{}, nil
	fix := j.cfg.Batches.FixedEnds && j.targets == nil
	if fix {
		j.fixing = map[string]batchEnds{}
	}
	j.answers = j.toSources(func(source string) any {
		return planBatch{ask: j.asked, most: j.cfg.Batches.Max, whole: j.cfg.Batches.Whole, fix: fix, targets: j.targets[source], fixed: j.targets != nil}
	})
}

// onPlanned takes the answer of a source's task.
func (j *Job) onPlanned(m batchPlanned) {
	if j.coord == nil || j.failure != nil || m.ask != j.asked {
		return
	}
	add(j.ends, m.source, m.ends)
	if j.fixing != nil {
		add(j.fixing, m.source, m.targets)
	}
	j.some = j.some || m.something
	if j.answers--; j.answers > 0 {
		return
	}
	if j.planned = j.some; j.fixing != nil {
		j.targets, j.fixing = j.fixing, nil
	}
	j.carry(j.coord.Planned(j.some, j.cfg.Now()))
}

func add(to map[string]batchEnds, source string, ends batchEnds) {
	if to[source] == nil {
		to[source] = batchEnds{}
	}
	for id, e := range ends {
		to[source][id] = e
	}
}

// readBatch lets the sources read the batch that is planned.
func (j *Job) readBatch() {
	j.answers = j.toSources(func(source string) any { return readBatch{j.ends[source]} })
}

func (j *Job) onBatchRead() {
	if j.coord == nil || j.failure != nil {
		return
	}
	if j.answers--; j.answers == 0 {
		j.carry(j.coord.BatchRead(j.cfg.Now()))
	}
}

// meta is what the record of d says of batches.
func (j *Job) meta(d barrier.Do) []byte {
	p := batchPlan{next: d.Batch + 1, planned: d.Plan, ends: j.ends}
	return p.encode()
}

// NewestBatch is the newest complete batch, flow.NoBatch before the first.
func (j *Job) NewestBatch() int64 { return j.newestBatch.Load() }

// Ended says whether all input has ended for good, and everything is out.
func (j *Job) Ended() bool { return j.inputEnded.Load() }

// batchComplete notes that everything up to a batch is complete.
func (j *Job) batchComplete(batch int64) {
	if batch != flow.NoBatch {
		j.next = max(j.next, batch+1)
	}
	j.newestBatch.Store(batch)
}
