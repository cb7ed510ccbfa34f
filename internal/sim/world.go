package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/rig"
)

const (
	startNS = int64(1_000_000_000) // when the world begins
	slowNS  = int64(30_000_000)    // the longest that something slow takes
	// stepsMax is how many steps a run may take behind its faults.
	stepsMax = 150_000
	// startsMax is how many attempts a run may begin behind its faults.
	startsMax = 60
)

// world is all that there is in a run.
type world struct {
	o        Options
	s        swarm
	rng      *rand.Rand
	now      int64
	steps    int
	healed   int // the step from which on there are no faults; 0: there are
	before   int // attempts until then
	disk     *disk
	out      *outside
	events   [][]Event // by split
	procs    []*process
	stepping *process
	started  int // processes
	doomed   int // the step at which the newest process crashes; 0: it does not
	finished bool
	trace    hash.Hash64
	units    []unit
	runnable []actors.Unit
	failures []string

	rehearsals map[int]*rig.Rehearsal // by parallelism
	job        *rig.Rehearsal         // the newest
	reported   flow.Epoch             // the newest epoch that a process said was complete
	peeked     int                    // the disk's version, when
	newest     flow.Epoch             // was the newest epoch that it held
	Counts
}

// Counts is what happened in a run.
type Counts struct {
	Steps, Processes, Epochs int
	Attempts, Folds          int
	Faults                   map[string]int
	Trace                    uint64 // a hash of all steps with their times
}

// unit is something that can take a step.
type unit struct {
	p *process
	actors.Unit
}

// Run does one run and says what it found wrong.
func Run(o Options) (Counts, error) {
	w := &world{
		o: o, s: draw(o), rng: rand.New(rand.NewPCG(o.Seed, 2)), now: startNS, disk: newDisk(), out: newOutside(), trace: fnv.New64a(),
		rehearsals: map[int]*rig.Rehearsal{}, peeked: -1,
	}
	w.Faults = map[string]int{}
	rng := rand.New(rand.NewPCG(o.Seed, 3))
	for i := range w.s.sources * w.s.splits {
		w.events = append(w.events, w.s.events(rng, i, w.s.records))
	}
	for !w.finished && len(w.failures) == 0 {
		w.step()
	}
	for _, p := range w.procs {
		p.job.Kill()
	}
	if len(w.failures) == 0 {
		w.verify()
	}
	w.Steps, w.Processes, w.Trace, w.Epochs = w.steps, w.started, w.trace.Sum64(), int(w.reported)
	if len(w.failures) > 0 {
		err := fmt.Errorf("step %d: %s", w.steps, w.failures[0])
		return w.Counts, fmt.Errorf("%w\n%v\n  go test ./internal/sim -run TestSeeds -args %v", err, w.s, o)
	}
	return w.Counts, nil
}

// violates notes that something is wrong. The run ends after the step.
func (w *world) violates(format string, args ...any) {
	w.failures = append(w.failures, fmt.Sprintf(format, args...))
}

// note makes what happened part of the trace.
func (w *world) note(what string, n int) {
	if w.o.Log != nil {
		_, _ = fmt.Fprintf(w.o.Log, "%d at %v: %s %x\n", w.steps, time.Duration(w.now-startNS), what, n)
	}
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], uint64(w.steps))
	binary.LittleEndian.PutUint64(b[8:], uint64(w.now))
	binary.LittleEndian.PutUint64(b[16:], uint64(n))
	_, _ = w.trace.Write(b[:])
	_, _ = w.trace.Write([]byte(what))
}

// strikes draws whether a fault comes now.
func (w *world) strikes(fault string) bool {
	r := w.s.rate[fault]
	if r == 0 || w.healed > 0 || w.rng.Float64() >= r {
		return false
	}
	w.Faults[fault]++
	w.note(fault, 0)
	return true
}

// step is one step of anything.
func (w *world) step() {
	w.steps++
	if w.steps > w.s.steps && w.healed == 0 {
		w.heal()
	}
	if w.healed > 0 && (w.steps-w.healed > stepsMax || w.Attempts-w.before > startsMax) {
		w.violates("not finished %d steps and %d attempts after the last fault", w.steps-w.healed, w.Attempts-w.before)
		return
	}
	w.strike()
	if len(w.procs) == 0 {
		w.start()
		return
	}
	u, ok := w.choose()
	if !ok {
		return
	}
	w.note("step", u.p.number<<20|int(u.Kind)<<16|u.N)
	w.stepping = u.p
	u.p.job.Take(u.Unit, w.now)
	w.stepping = nil
	w.now += 1 + w.rng.Int64N(int64(w.s.tick))
	if e := u.p.job.NewestEpoch(); e > w.reported {
		w.reported = e
	}
	if u.p.job.Over() {
		w.over(u.p)
	}
}

// heal ends the faults: what runs now is left alone until it has finished.
func (w *world) heal() {
	w.before = w.Attempts
	w.healed, w.s.tick = w.steps, min(w.s.tick, 10*time.Microsecond)
	for len(w.procs) > 1 {
		w.kill(w.procs[0])
	}
	w.s.pace = 0
	for _, p := range w.procs {
		p.job.Pace(0)
	}
}

// choose draws what takes the next step. When nothing can, time passes.
func (w *world) choose() (unit, bool) {
	w.units = w.units[:0]
	next := int64(math.MaxInt64)
	for _, p := range w.procs {
		w.runnable = p.job.Runnable(w.now, w.runnable[:0])
		for _, u := range w.runnable {
			w.units = append(w.units, unit{p, u})
		}
		next = min(next, p.job.NextNS())
	}
	if len(w.units) == 0 {
		if next == math.MaxInt64 {
			w.violates("nothing can take a step, and no time is waited for: the job is %v", w.procs[0].job.Status())
		}
		w.now = max(w.now, next)
		return unit{}, false
	}
	for {
		u := w.units[w.rng.IntN(len(w.units))]
		if w.rng.Float64() < w.s.weights[(int(u.Kind)*3+u.N)%len(w.s.weights)] {
			return u, true
		}
	}
}

// newestRecord is the newest epoch that has a record.
func (w *world) newestRecord() flow.Epoch {
	if w.peeked == w.disk.version {
		return w.newest
	}
	o := w.job.Log
	o.Store = store{&process{w: w, peeks: true}}
	log, err := checkpoint.Open(context.Background(), o)
	if err != nil {
		w.violates("the state cannot be opened: %v", err)
		return 0
	}
	e, _ := log.Newest()
	if e.Number < w.newest {
		w.violates("the newest record is of epoch %d; it was of %d", e.Number, w.newest)
	}
	w.peeked, w.newest = w.disk.version, e.Number
	return e.Number
}

// rehearse is the job as Start would run it, with so many tasks.
func (w *world) rehearse(parallelism int) (*rig.Rehearsal, error) {
	if r := w.rehearsals[parallelism]; r != nil {
		return r, nil
	}
	r, err := rig.Rehearse(context.Background(), w.topology(), millrace.Config{
		Parallelism: parallelism, KeyGroups: w.s.keyGroups, BatchRecords: w.s.batch, LaneBatches: w.s.lane,
		CommitEvery: w.s.commitEvery, CheckpointEvery: w.s.checkpointEvery, EpochTimeout: w.s.timeout, EpochFailuresMax: w.s.epochFailures,
		RestartsMax: w.s.restarts, RestartMin: 1, RestartMax: 1_000_000, RetainEpochs: w.s.retain, UnalignAfter: w.s.unalignAfter,
	})
	if err != nil {
		return nil, err
	}
	r.Log.FoldRuns, r.Log.FoldBytes, r.Log.InlineBytes = w.s.folds, w.s.foldBytes, w.s.inlineBytes
	w.rehearsals[parallelism] = r
	return r, nil
}

// final says whether an error is one that no fault of the world excuses.
func final(err error) bool {
	return errors.Is(err, checkpoint.ErrDamaged) || errors.Is(err, checkpoint.ErrPlan) || errors.Is(err, checkpoint.ErrVersion)
}
