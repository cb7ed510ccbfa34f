package actors

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace-io/millrace/internal/planted"
)

// endAttempt ends the attempt: all tasks stop, and what they still report is ignored.
func (j *Job) endAttempt(err error) {
	if j.failure != nil || j.dep == nil {
		return
	}
	j.failure = err
	j.failSavepoints(err)
	j.arm()
	j.stopRegion()
}

// stopRegion stops all tasks; terminated follows for each.
func (j *Job) stopRegion() {
	for _, t := range j.alive {
		j.host.stop(t)
	}
}

func (j *Job) terminated(t *Task) {
	at := slices.Index(j.alive, t)
	if at < 0 {
		return
	}
	j.alive = slices.Delete(j.alive, at, at+1)
	if j.failure == nil && !j.over {
		j.endAttempt(fmt.Errorf("chain %s, task %d/%d was stopped from outside", strings.Join(t.Operators, ", "), t.Index, t.Count))
	}
	if len(j.alive) == 0 {
		j.awaitIO()
	}
}

// awaitIO waits, off the loop, until no I/O goroutine of the attempt is left: the next attempt must not meet one. An epoch
// that is being written is complete or not before the next attempt looks for the newest.
func (j *Job) awaitIO() {
	dep := j.dep
	j.host.goIO(func() { j.tell(regionStopped{j.host.quiet(dep, &j.writes)}) })
}

// awaitIO waits for the I/O goroutines of all tasks, together at most so long, and says which do not end.
func (d *Deployment) awaitIO(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, t := range d.Tasks {
		done := make(chan struct{})
		go func() {
			t.io.Wait()
			close(done)
		}()
		select {
		case <-done:
			continue
		case <-ctx.Done():
		}
		select {
		case <-done:
		default:
			return fmt.Errorf("an I/O goroutine of chain %s, task %d/%d does not end within %v: it may still write, so no other "+
				"attempt can begin; end the process and start the job again", strings.Join(t.Operators, ", "), t.Index, t.Count, limit)
		}
	}
	return nil
}

// afterRegion decides what follows when nothing of the attempt runs any more, or when something of it does not end.
func (j *Job) afterRegion(stuck error) {
	failure := j.failure
	j.live.Store(nil)
	j.dep, j.coord, j.failure = nil, nil, nil
	if j.cfg.BeforeRestart != nil {
		j.cfg.BeforeRestart()
	}
	if stuck != nil {
		j.cfg.Logger.Error("tasks have stopped, but not all of their I/O", "job", j.cfg.Name, "error", stuck)
	}
	switch {
	case failure != nil && stuck != nil:
		j.finish(Failed, fmt.Errorf("run job %q: %w; and %w", j.cfg.Name, failure, stuck))
	case failure != nil:
		j.attemptFailed(failure)
	case j.ended:
		j.inputEnded.Store(true)
		j.finish(Finished, nil)
	case j.completed:
		j.finish(Finished, nil)
	default:
		j.finish(Stopped, nil)
	}
}

// attemptFailed restarts after a back-off, or gives up. A connection that broke or could not be made is tried again for as
// long as it takes; any other failure counts.
func (j *Job) attemptFailed(err error) {
	j.retries++
	if !unreachable(err) {
		j.failures++
	}
	log := j.cfg.Logger.With("job", j.cfg.Name, "attempt_failures", j.retries)
	switch {
	case j.stopping:
		log.Error("attempt failed while stopping; the next start resumes from the newest complete epoch", "epoch", j.newest.Load(), "error", err)
		j.finish(Failed, fmt.Errorf("stop job %q: %w", j.cfg.Name, err))
	case fenced(err), j.cfg.Log == nil, j.cfg.RestartsMax < 0, j.failures > j.cfg.RestartsMax:
		log.Error("job failed", "error", err)
		j.finish(Failed, fmt.Errorf("run job %q: %w", j.cfg.Name, err))
	default:
		wait := min(j.cfg.RestartMin<<min(j.retries-1, 16), j.cfg.RestartMax)
		log.Warn("attempt failed; restoring from the newest complete epoch", "epoch", j.newest.Load(), "wait", wait,
			"unreachable", unreachable(err), "error", err)
		j.restarts.Add(1)
		j.setStatus(Restarting)
		j.timer = j.host.after(wait, restart{})
	}
}

func (j *Job) redeploy() {
	if j.Status() != Restarting || j.over {
		return
	}
	if j.stopping {
		j.finish(Stopped, nil)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	j.cancelDeploy = cancel
	j.host.goIO(func() {
		defer cancel()
		d, err := j.deploy(ctx)
		j.tell(deployed{d, err})
	})
}

// onStop cuts a last epoch and ends; between two attempts there is nothing to cut.
func (j *Job) onStop() {
	if j.stopping || j.over || j.ended {
		return
	}
	j.stopping = true
	switch {
	case j.dep == nil && j.timer != nil && j.timer.Stop():
		j.finish(Stopped, nil)
	case j.dep == nil: // deploying: begin sees the flag
		if j.cancelDeploy != nil {
			j.cancelDeploy()
		}
	case j.failure != nil: // the region is being stopped: attemptFailed sees the flag
	default:
		j.setStatus(Stopping)
		j.carry(j.coord.Stop(j.cfg.Now()))
	}
}

// lastEpochDone follows the last epoch: every writer has all records, and has flushed. First the sinks publish what they have
// prepared and, after the end of input, finish.
func (j *Job) lastEpochDone(ended, completed bool) {
	j.refuseSavepoints(errSavepointNotRunning)
	j.completed, j.ended = completed, ended
	j.finishing = 0
	for _, t := range j.dep.Tasks {
		if (ended || t.commits()) && !planted.On("end-without-the-last-commits") {
			j.finishing++
			j.host.send(t, finish{ended})
		}
	}
	if j.finishing == 0 {
		j.endRegion()
	}
}

// taskFinished counts the tasks whose sinks are done.
func (j *Job) taskFinished() {
	if j.failure != nil || j.dep == nil {
		return
	}
	if j.finishing--; j.finishing == 0 {
		j.endRegion()
	}
}

// endRegion stops all tasks because the job is over.
func (j *Job) endRegion() {
	j.over = true
	j.stopRegion()
}

// finish ends the job. No message is handled any more; Done is closed when the last I/O goroutine has ended.
func (j *Job) finish(s Status, err error) {
	j.over = true
	j.err = err
	if j.timer != nil {
		j.timer.Stop()
	}
	j.host.end(func() {
		j.setStatus(s)
		close(j.done)
	})
}

// discover starts the search for splits that appear while the job runs, for each source that wants it.
func (j *Job) discover(d *Deployment) {
	for i, g := range d.Groups {
		if g.DiscoverEvery <= 0 {
			continue
		}
		known := g.known
		g.Tasks[0].Go(g.ID, "find splits", func(ctx context.Context) error {
			for g.Tasks[0].sleep(ctx, g.DiscoverEvery) {
				splits, err := g.Splits(ctx, known)
				if ctx.Err() != nil {
					return nil
				}
				for _, s := range splits {
					known = append(known, s.ID)
				}
				if len(splits) > 0 || err != nil {
					j.tell(found{d, i, splits, err})
				}
			}
			return nil
		})
	}
}

// addSplits gives new splits to the source's tasks, the one with the fewest first.
func (j *Job) addSplits(m found) {
	if m.dep != j.dep || j.failure != nil {
		return
	}
	g := &m.dep.Groups[m.group]
	if m.err != nil {
		j.cfg.Logger.Warn("search for new splits did not succeed; it is tried again", "job", j.cfg.Name, "operator", g.ID, "error", m.err)
	}
	for _, s := range m.splits {
		least := 0
		for i := range g.counts {
			if g.counts[i] < g.counts[least] {
				least = i
			}
		}
		g.counts[least]++
		j.host.send(g.Tasks[least], addSplits{[]assigned{{split: s, position: s.Start}}})
	}
}
