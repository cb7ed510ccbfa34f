package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
)

// A savepoint is the copy of an epoch whose output has been published: the coordinator cuts one with nothing left over, its files are
// pinned when it is complete, and they are copied when every sink has answered its commit. So whoever starts from it need not
// publish anything, and the job that made it goes on meanwhile.

// savepointAsk is a savepoint that was asked for.
type savepointAsk struct {
	ctx   context.Context
	to    checkpoint.Store
	stop  bool       // the epoch is the job's last
	epoch flow.Epoch // valid when answered without an error
	done  chan error // holds one: the answer
}

// saving is a complete epoch that savepoints wait for: first for its output to be published.
type saving struct {
	pin    *checkpoint.Pin
	epoch  flow.Epoch
	asks   []*savepointAsk
	silent int // tasks that have not said that they have published
}

// savepoints is the job's part in taking them.
type savepoints struct {
	wanted []*savepointAsk // wait for an epoch
	pinned []*saving       // wait for output to be published
}

// Messages of a job to itself.
type (
	askSavepoint  struct{ ask *savepointAsk }
	dropSavepoint struct{ ask *savepointAsk } // its context has ended
)

var errSavepointNotRunning = errors.New("the job has no attempt that runs: ask again when its status is running")

// Savepoint copies an epoch that it cuts now to a store, which must be empty, and gives its number. An error means that there is no
// savepoint; what is in the store is then worth nothing, and nobody writes to it any more. When ctx ends there is none. With stop the job ends at the savepoint, if one can be taken; else it may go on. The job has epochs.
func (j *Job) Savepoint(ctx context.Context, to checkpoint.Store, stop bool) (flow.Epoch, error) {
	ask := &savepointAsk{ctx: ctx, to: to, stop: stop, done: make(chan error, 1)}
	j.tell(askSavepoint{ask})
	undo := context.AfterFunc(ctx, func() { j.tell(dropSavepoint{ask}) })
	defer undo()
	select {
	case err := <-ask.done:
		return ask.epoch, err
	case <-j.done: // answered before that, or never
	}
	select {
	case err := <-ask.done:
		return ask.epoch, err
	default:
		return 0, errSavepointNotRunning
	}
}

func (j *Job) onAskSavepoint(ask *savepointAsk) {
	if j.coord == nil || j.failure != nil || j.over {
		ask.done <- errSavepointNotRunning
		return
	}
	j.wanted = append(j.wanted, ask)
	if !ask.stop {
		j.carry(j.coord.Savepoint(j.cfg.Now()))
		return
	}
	j.stopping = true
	j.setStatus(Stopping)
	j.carry(j.coord.StopWithSavepoint(j.cfg.Now()))
}

// onDropSavepoint answers an ask that still waits; one that is being copied is answered by that.
func (j *Job) onDropSavepoint(ask *savepointAsk) {
	lists := []*[]*savepointAsk{&j.wanted}
	for _, s := range j.pinned {
		lists = append(lists, &s.asks)
	}
	for _, list := range lists {
		if at := slices.Index(*list, ask); at >= 0 {
			*list = slices.Delete(*list, at, at+1)
			ask.done <- ask.ctx.Err()
		}
	}
}

// save pins the epoch that was asked for, which is the newest complete one. Its tasks answer with published.
func (j *Job) save(e flow.Epoch) {
	s := &saving{epoch: e, asks: j.wanted}
	j.wanted = nil
	var err error
	if s.pin, err = j.cfg.Log.Pin(); err != nil {
		refuse(s.asks, err)
		return
	}
	for _, t := range j.dep.Tasks {
		if t.commits() {
			s.silent++
		}
	}
	j.pinned = append(j.pinned, s)
	j.copySaved()
}

func (j *Job) onPublished(e flow.Epoch) {
	for _, s := range j.pinned {
		if s.epoch == e {
			s.silent--
		}
	}
	j.copySaved()
}

// copySaved copies what waits for nothing more.
func (j *Job) copySaved() {
	j.pinned = slices.DeleteFunc(j.pinned, func(s *saving) bool {
		if s.silent > 0 {
			return false
		}
		j.host.goIO(func() {
			defer s.pin.Release()
			for _, ask := range s.asks {
				ask.epoch = s.epoch
				ask.done <- s.pin.Copy(ask.ctx, ask.to)
			}
		})
		return true
	})
}

// refuseSavepoints answers all that wait for an epoch.
func (j *Job) refuseSavepoints(err error) {
	refuse(j.wanted, err)
	j.wanted = nil
}

// failSavepoints answers all that wait: the attempt ends, and what it has not published the next one will.
func (j *Job) failSavepoints(err error) {
	err = fmt.Errorf("the attempt failed: %w", err)
	j.refuseSavepoints(err)
	for _, s := range j.pinned {
		s.pin.Release()
		refuse(s.asks, err)
	}
	j.pinned = nil
}

func refuse(asks []*savepointAsk, err error) {
	for _, ask := range asks {
		ask.done <- fmt.Errorf("no savepoint was taken: %w", err)
	}
}

// published tells the job of epochs up to which all output of the task's sinks is public, of those that it wants to hear of.
func (t *Task) published() {
	t.telling = slices.DeleteFunc(t.telling, func(e flow.Epoch) bool {
		for _, s := range t.sinks {
			if o := s.output(); o != nil && len(o.prepared) > 0 && o.prepared[0].epoch <= e {
				return false
			}
		}
		t.report(published{t.number, e})
		return true
	})
}
