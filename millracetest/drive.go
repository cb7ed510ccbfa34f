package millracetest

import (
	"math"
	"math/rand/v2"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/rig"
)

// roundsMax bounds how long a job may go on with nothing new: a processor whose timer sets itself again in the past never rests.
const roundsMax = 1 << 20

// crashStepsMax is how many steps an action goes on at most before a crash, in the same order as what a record needs to get
// through a few lanes.
const crashStepsMax = 24

// keyGroups is enough for four tasks and cheap to restore.
const keyGroups = 16

func (s *Script) ready() {
	s.t.Helper()
	if s.build == nil {
		s.t.Fatal("millracetest: the script acts before it has built the job; call Script.Build first")
	}
}

func (s *Script) config(parallelism int) millrace.Config {
	c := s.Config
	c.Guarantee, c.Parallelism = millrace.ExactlyOnce, parallelism
	if c.KeyGroups == 0 {
		c.KeyGroups = keyGroups
	}
	if s.v.Refuse {
		c.BatchRecords, c.LaneBatches = 1, 1
	}
	return c
}

func (s *Script) deploy() { s.t.Helper(); s.deployAt(0) }

// deployAt begins an attempt.
func (s *Script) deployAt(parallelism int) {
	s.t.Helper()
	if parallelism == 0 {
		parallelism = s.v.parallelism(s.attempts)
	}
	s.attempts++
	o := rig.Options{Attempt: flow.Attempt(s.attempts), NowNS: time.Now().UnixNano(), Stepped: actors.SteppedConfig{Blocks: s.blocks}}
	if s.v.Refuse {
		// Not every second: two lanes that are tried in turn, one full for the other's sake, would never move again.
		random := rand.New(rand.NewPCG(s.v.Seed, uint64(s.attempts)))
		o.Refuse = func() bool { return random.IntN(2) == 0 }
	}
	job := millrace.NewJob("test")
	s.build(job)
	at, err := rig.Deploy(s.t.Context(), job, s.config(parallelism), o)
	if err != nil {
		s.fail("the attempt could not begin: %v", err)
	}
	s.at, s.tasks = at, parallelism
	s.blocks = append(s.blocks, at.Starts...)
	s.wakes = make([]int64, len(at.Tasks()))
}

// act lets something happen to the inputs and runs the job until it rests.
func (s *Script) act(f func()) {
	s.t.Helper()
	s.ready()
	if s.done {
		s.t.Fatal("millracetest: an action after End: the job is over")
	}
	if s.v.Crash {
		s.Snapshot()
	}
	f()
	if s.v.Crash {
		s.crash()
	}
	s.rest()
	s.acted()
}

// crash goes a few steps into an action, perhaps cuts an epoch there, goes on a few steps and restores.
func (s *Script) crash() {
	s.t.Helper()
	s.at.Wake()
	s.steps(s.random.IntN(crashStepsMax))
	if s.random.IntN(2) == 0 {
		s.Snapshot()
		s.steps(s.random.IntN(crashStepsMax))
	}
	s.Restore(0)
}

// acted is what follows each action.
func (s *Script) acted() {
	s.t.Helper()
	s.actions++
	if n := s.v.RestoreEvery; n > 0 && s.actions%n == 0 && !s.at.Ended() {
		s.Snapshot()
		s.Restore(0)
	}
}

// steps takes n steps of tasks chosen one by one.
func (s *Script) steps(n int) {
	s.t.Helper()
	for range n {
		s.step(s.random.IntN(len(s.wakes)))
		synctest.Wait()
	}
}

func (s *Script) step(task int) (worked bool) { // as round no Helper, which takes as long as a step of a task does
	worked, wake, err := s.at.Step(task, time.Now().UnixNano())
	if err != nil {
		s.fail("the attempt failed: %v", err)
	}
	s.wakes[task] = wake
	return worked
}

// round gives each task a turn and says whether any did something.
func (s *Script) round() (worked bool) {
	order := make([]int, len(s.wakes))
	for i := range order {
		order[i] = i
	}
	if s.v.Shuffle {
		s.random.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	}
	for _, task := range order {
		worked = s.step(task) || worked
	}
	synctest.Wait() // I/O goroutines have brought what they have
	return worked
}

// rest runs the job until nothing is left to do at this time.
func (s *Script) rest() {
	s.t.Helper()
	s.at.Wake()
	s.until("the job rests; does a timer that is due set itself again?", func() bool { return !s.round() && s.at.Resting() })
}

// until calls f until it is true. For anything but rest, f or a round must make progress.
func (s *Script) until(what string, f func() bool) {
	s.t.Helper()
	for range roundsMax {
		if f() {
			return
		}
	}
	s.t.Fatalf("millracetest: after %d rounds still waiting until %s", roundsMax, what)
}

// cut cuts an epoch, which ends the batch when ending is set.
func (s *Script) cut(ending bool) {
	s.t.Helper()
	s.trigger(ending)
	s.until("epoch is complete", s.completeCut)
	if ending {
		s.batch++
	}
}

// trigger begins a cut.
func (s *Script) trigger(ending bool) {
	s.epoch++
	for _, o := range s.outputs {
		o.cut()
	}
	batch := int64(flow.NoBatch)
	if ending {
		batch = s.batch
	}
	s.at.Trigger(s.epoch, batch, false)
	if !ending && s.v.Crash && s.random.IntN(2) == 0 {
		s.at.Unalign()
	}
}

// completeCut goes one round and says whether the epoch is complete; then it is the one to restore.
func (s *Script) completeCut() bool {
	s.t.Helper()
	s.round()
	blocks, complete := s.at.Cut()
	if !complete {
		return false
	}
	s.blocks = append(s.blocks, blocks...)
	if len(s.blocks) > blocksMax {
		s.blocks = fold(s.blocks)
	}
	s.atCut = s.dropped(true)
	s.at.Complete()
	for _, o := range s.outputs {
		o.keep()
	}
	return true
}

// due is when the next thing happens by itself, at most at.
func (s *Script) due(at time.Time) time.Time {
	now, next := time.Now().UnixNano(), int64(math.MaxInt64)
	for _, w := range s.wakes {
		if w > now {
			next = min(next, w)
		}
	}
	if next >= at.UnixNano() {
		return at
	}
	return time.Unix(0, next)
}

func (s *Script) dropped(cut bool) Dropped {
	d := s.base
	for i := range s.at.Tasks() {
		c := s.at.Counts(i, cut)
		d.Filtered, d.Late, d.DeadLetters = d.Filtered+c.Filtered, d.Late+c.Late, d.DeadLetters+c.DeadLetters
	}
	return d
}

func (s *Script) close() {
	if s.at == nil {
		return
	}
	if err := s.at.Close(); err != nil && !s.t.Failed() {
		s.t.Errorf("millracetest: %v", err)
	}
}
