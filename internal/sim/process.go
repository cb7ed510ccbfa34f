package sim

import (
	"context"
	"math"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
)

// process runs the job until it ends, or is killed.
type process struct {
	w      *world
	number int
	log    *checkpoint.Log
	job    *actors.SteppedJob
	zombie bool // another has taken over
	peeks  bool // only looks, without faults
}

// start starts a process. It may find that it cannot.
func (w *world) start() {
	w.started++
	parallelism := w.s.parallelism
	if w.strikes(rescale) {
		parallelism = 1 + w.rng.IntN(4)
	}
	r, err := w.rehearse(parallelism)
	if err != nil {
		w.violates("rehearse: %v", err)
		return
	}
	w.job = r
	p := &process{w: w, number: w.started}
	o := r.Log
	o.Store = store{p}
	log, err := checkpoint.Open(context.Background(), o)
	if err != nil {
		if final(err) {
			w.violates("open: %v", err)
		}
		return
	}
	if e, _ := log.Newest(); e.Number < w.reported {
		w.violates("the newest epoch is %d; %d was said to be complete", e.Number, w.reported)
	}
	var refuse func() bool
	if w.s.rate[refuses] > 0 {
		refuse = func() bool { return w.strikes(refuses) }
	}
	c := r.Job(log, func() int64 { return w.now }, refuse)
	build := c.Build
	c.Build = func(ctx context.Context, attempt flow.Attempt) (*actors.Deployment, error) {
		w.Attempts++
		return build(ctx, attempt)
	}
	p.log, p.job = log, actors.StepJob(c)
	p.job.Pace(w.s.pace)
	w.procs = append(w.procs, p)
}

// strike draws what befalls the newest process.
func (w *world) strike() {
	if len(w.procs) == 0 || w.healed > 0 {
		return
	}
	p := w.procs[len(w.procs)-1]
	switch {
	case w.strikes(crash), w.doomed > 0 && w.steps >= w.doomed:
		w.doomed = 0
		w.kill(p)
	case w.strikes(powerCut):
		for len(w.procs) > 0 {
			w.kill(w.procs[0])
		}
		w.disk.powerCut(func() bool { return w.rng.IntN(2) == 0 })
	case w.strikes(zombie):
		if len(w.procs) > 1 {
			w.kill(w.procs[0])
		}
		p.zombie = true
		w.start()
	case w.strikes(stop):
		p.job.Stop()
	}
}

// kill ends a process as it stands.
func (w *world) kill(p *process) {
	w.forget(p)
	w.Folds += int(p.log.Stats().Folds)
	w.stepping = p
	p.job.Kill()
	w.stepping = nil
}

func (w *world) forget(p *process) {
	for i, o := range w.procs {
		if o == p {
			w.procs = append(w.procs[:i], w.procs[i+1:]...)
			return
		}
	}
}

// over follows the end of a process by itself.
func (w *world) over(p *process) {
	err := p.job.Err()
	w.note(p.job.Status().String(), p.number)
	w.kill(p)
	switch {
	case p.job.Status() == actors.Finished:
		w.finished = true
		if len(w.procs) > 0 && !p.zombie {
			w.kill(w.procs[0])
		}
	case err != nil && final(err):
		w.violates("the job has failed: %v", err)
	}
}

// park lets the I/O that is under way wait until ready, or a time. false: the process is killed.
func (p *process) park(ready func() bool, untilNS int64) bool {
	if p.job == nil {
		return true
	}
	return p.job.Park(ready, untilNS)
}

// wait lets others take steps, and time pass when the fault strikes. false: the process is killed.
func (p *process) wait(slow string) bool {
	switch {
	case p.peeks:
		return true
	case p.w.strikes(slow):
		return p.park(func() bool { return false }, p.w.now+p.w.rng.Int64N(slowNS))
	default:
		return p.park(nil, math.MaxInt64)
	}
}
