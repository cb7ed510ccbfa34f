package barrier

import (
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/internal/planted"
)

// Mode says whether lanes are masked while aligning.
type Mode uint8

const (
	// ExactlyOnce masks a lane from its barrier until all lanes have shown theirs: a snapshot holds the effect of exactly
	// the records before the barrier.
	ExactlyOnce Mode = iota
	// AtLeastOnce masks nothing: a snapshot may hold effects of records behind the barrier, which a restore repeats. Lanes
	// may be several epochs apart.
	AtLeastOnce
)

// String gives the mode's name as the flag --guarantee spells it.
func (m Mode) String() string {
	switch m {
	case ExactlyOnce:
		return "exactly-once"
	case AtLeastOnce:
		return "at-least-once"
	}
	return "unknown"
}

// Action is what a barrier asks of its task. The zero Action asks nothing: read on.
type Action struct {
	Mask      bool       // stop reading the lane the barrier came on, until a Snapshot
	Snapshot  flow.Epoch // not 0: all lanes have shown this epoch: freeze state, forward the barrier, unmask all lanes
	Late      bool       // the epoch was cut ahead of this barrier: what the lane brought until now belongs to the cut
	Violation error      // not nil: a lane broke the protocol, the cut would be wrong: fail the task. Nothing else is set
}

// Aligner finds out when a task has seen the barrier of an epoch on all its input lanes. It
// belongs to the task's loop.
type Aligner struct {
	mode    Mode
	first   flow.Epoch   // the first epoch any lane showed in this attempt, 0 before
	aligned flow.Epoch   // the newest epoch that was cut, first-1 when none: all lanes have shown it, or it was cut ahead of those that are behind
	seen    []flow.Epoch // by lane: the newest epoch it has shown, 0 when none
	behind  int          // how many lanes have not shown aligned+1; at least 1 between calls
}

// NewAligner makes the aligner of a task with so many input lanes, over all its inputs. That of a source task has none,
// and every barrier on it is a violation.
func NewAligner(lanes int, mode Mode) *Aligner {
	return &Aligner{mode: mode, seen: make([]flow.Epoch, lanes), behind: lanes}
}

// Barrier notes the barrier of epoch e on a lane and says what to do. The task calls it after the last record before the
// barrier. It allocates nothing unless the barrier is a violation; a violation changes nothing.
func (a *Aligner) Barrier(lane int, e flow.Epoch) Action {
	if err := a.check(lane, e); err != nil {
		return Action{Violation: err}
	}
	if a.first == 0 {
		a.first, a.aligned = e, e-1
	}
	a.seen[lane] = e
	if e <= a.aligned {
		return Action{Late: true}
	}
	if e == a.aligned+1 {
		a.behind--
	}
	if a.behind > 0 {
		return Action{Mask: a.mode == ExactlyOnce && !planted.On("aligner-masks-nothing")}
	}
	return a.align()
}

// align completes the epoch behind aligned and counts the lanes that have yet to show the one after it. An epoch is
// counted here once, so that Barrier need not look at all lanes each time.
func (a *Aligner) align() Action {
	a.aligned++
	for _, e := range a.seen {
		// aligned <= seen: an epoch is never cut before all lanes have shown it.
		invariants.Check(a.aligned <= e, "epoch %d cut, a lane has shown only %d", a.aligned, e)
		if e == a.aligned {
			a.behind++
		}
	}
	invariants.Check(a.behind > 0, "epoch %d cut late: all lanes are ahead of it", a.aligned)
	return Action{Snapshot: a.aligned}
}

// Ahead cuts the next epoch, at most e, before all lanes have shown it, and gives its number: freeze state, forward the barrier, unmask all
// lanes. What lanes that are Behind bring until their barrier is state of the channel and belongs to the cut: Chandy and Lamport,
// Distributed snapshots (1985). 0: the epoch has been cut already, or lanes are behind an older one. Under AtLeastOnce, where nobody waits
// for a barrier, it is always 0.
func (a *Aligner) Ahead(e flow.Epoch) flow.Epoch {
	if a.mode != ExactlyOnce || a.first != 0 && (e <= a.aligned || a.Late() > 0) {
		return 0
	}
	if a.first == 0 {
		a.first, a.aligned = e, e-1
	}
	a.aligned++
	a.behind = len(a.seen)
	return a.aligned
}

// Cut says whether epoch e was cut.
func (a *Aligner) Cut(e flow.Epoch) bool { return a.first != 0 && e <= a.aligned }

// Behind says whether the newest cut was ahead of the lane's barrier, which has not come yet.
func (a *Aligner) Behind(lane int) bool {
	return a.first != 0 && a.seen[lane] < a.aligned && a.aligned >= a.first
}

// Late is the number of lanes that are Behind.
func (a *Aligner) Late() (n int) {
	for lane := range a.seen {
		if a.Behind(lane) {
			n++
		}
	}
	return n
}

// check says how the barrier breaks the protocol, or nil. Every lane shows the same epochs without a gap; and in
// ExactlyOnce none shows a second one while masked.
func (a *Aligner) check(lane int, e flow.Epoch) error {
	if lane < 0 || lane >= len(a.seen) {
		return fmt.Errorf("barrier of epoch %d on lane %d: the task has %d lanes, counted from 0", e, lane, len(a.seen))
	}
	want := a.seen[lane] + 1
	if a.seen[lane] == 0 {
		want = a.first
	}
	switch {
	case e < 1:
		return fmt.Errorf("barrier of epoch %d on lane %d: epochs count from 1", e, lane)
	case want != 0 && e != want:
		return fmt.Errorf("barrier of epoch %d on lane %d: want epoch %d; barriers were lost, repeated or reordered", e, lane, want)
	case a.mode == ExactlyOnce && a.first != 0 && a.seen[lane] > a.aligned:
		return fmt.Errorf("barrier of epoch %d on lane %d: the lane is masked by epoch %d", e, lane, a.seen[lane])
	}
	return nil
}
