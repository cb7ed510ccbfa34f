package millracetest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/internal/rig"
)

// Script is a job under test and the hand that acts on it. It belongs to the goroutine of the function it is given to.
type Script struct {
	// Config is what the job runs under, to be set before Build. Parallelism, BatchRecords, LaneBatches and Guarantee are the
	// variant's; KeyGroups is 16 unless it is set, since restores cost for each of them. State on disk is not tested here.
	Config millrace.Config

	t       *testing.T
	v       Variant
	random  *rand.Rand
	build   func(*millrace.Job)
	inputs  []feed
	outputs []book

	at       *rig.Attempt // the running attempt
	attempts int
	actions  int
	epoch    flow.Epoch
	batch    int64         // the number of the next to end
	blocks   []delta.Block // of all epochs, oldest first
	base     Dropped       // by the attempts before this one
	atCut    Dropped       // as of the newest epoch
	wakes    []int64       // by task: when its last turn asked for another
	tasks    int           // parallelism of the running attempt
	failing  bool          // Failure waits for it
	done     bool          // the input has ended and the sinks have finished
}

// Play calls script under each of Variants, with seed 1, each in a subtest of its own.
func Play(t *testing.T, script func(*Script)) {
	t.Helper()
	for _, v := range Variants(1) {
		t.Run(v.Name, func(t *testing.T) { PlayOne(t, v, script) })
	}
}

// PlayOne calls script under one variant. It cannot be called inside of a synctest bubble: it makes one.
func PlayOne(t *testing.T, v Variant, script func(*Script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &Script{t: t, v: v, random: rand.New(rand.NewPCG(v.Seed, 2))}
		defer s.close()
		script(s)
		if s.build == nil {
			t.Fatal("millracetest: the script built no job; call Script.Build")
		}
	})
}

// Build says how the job is made: its sources are inputs of the script, its sinks outputs; others work if they can be opened
// more than once. The job is built anew for each attempt, so f must make the same each time, and what it keeps in Go memory is lost
// with a restore, as it is in production.
func (s *Script) Build(f func(*millrace.Job)) {
	s.t.Helper()
	if s.build != nil {
		s.t.Fatal("millracetest: Build was called twice")
	}
	s.build = f
	s.deploy()
	s.rest()
}

// T is the test of the variant that runs.
func (s *Script) T() *testing.T { return s.t }

// Variant is the one that runs.
func (s *Script) Variant() Variant { return s.v }

// Parallelism is that of the running attempt.
func (s *Script) Parallelism() int { return s.tasks }

// Now is the processing time.
func (s *Script) Now() time.Time { return time.Now().UTC() }

// Advance lets d of processing time pass. What comes due on the way happens at its time.
func (s *Script) Advance(d time.Duration) {
	s.t.Helper()
	s.AdvanceTo(s.Now().Add(d))
}

// AdvanceTo lets processing time pass until at.
func (s *Script) AdvanceTo(at time.Time) {
	s.t.Helper()
	s.ready()
	if at.Before(time.Now()) {
		s.t.Fatalf("millracetest: AdvanceTo %v, but it is %v: time does not go back", at, s.Now())
	}
	for {
		next := s.due(at)
		time.Sleep(time.Until(next))
		s.rest()
		if !next.Before(at) {
			break
		}
		if s.v.Crash && s.random.IntN(4) == 0 {
			s.Snapshot()
			s.Restore(0)
		}
	}
	s.acted()
}

// End ends all inputs: final watermark, last records, sinks finish. It is the last action.
func (s *Script) End() {
	s.t.Helper()
	s.act(func() {
		for _, in := range s.inputs {
			in.end()
		}
	})
	if !s.at.Ended() {
		return
	}
	s.cut(true)
	s.at.Finish()
	s.until("the sinks finish", func() bool { s.round(); return s.at.Finished() })
	s.done = true
}

// Snapshot cuts an epoch.
func (s *Script) Snapshot() {
	s.t.Helper()
	s.ready()
	s.cut(false)
}

// EndBatch ends a batch: what has come since the one before is in it, and what a job emits at the end of a batch comes out. That
// is all output of tables and windows with Config.Trigger set to a micro-batch trigger; in real-time mode, complete tables and sinks of whole
// batches. Batches are numbered from 0; End ends the last one. Under a micro-batch trigger the answers to asynchronous look-ups
// must be there: Advance before.
func (s *Script) EndBatch() {
	s.t.Helper()
	s.ready()
	if s.done {
		s.t.Fatal("millracetest: an action after End: the job is over")
	}
	if s.v.Crash { // the batch is ended again, with the same number
		s.Snapshot()
		s.trigger(true)
		s.steps(s.random.IntN(crashStepsMax))
		s.Restore(0)
	}
	s.cut(true)
	s.rest()
	s.acted()
}

// Restore throws the tasks away, with all that they did since the newest epoch, and restores that one into new tasks of a newly
// built job. parallelism is theirs; 0 leaves it to the variant.
func (s *Script) Restore(parallelism int) {
	s.t.Helper()
	s.ready()
	if s.done {
		s.t.Fatal("millracetest: Restore after End: the job is over")
	}
	if err := s.at.Close(); err != nil {
		s.fail("end of an attempt: %v", err)
	}
	s.base = s.atCut
	for _, o := range s.outputs {
		o.truncate()
	}
	s.deployAt(parallelism)
	s.rest()
}

// Dropped is how many records a job has not handed on, and said so.
type Dropped struct {
	Filtered    int64 // on purpose
	Late        int64 // behind the watermark
	DeadLetters int64 // they could not be decoded
}

// Dropped counts since the beginning, exactly: records read again after a restore count once.
func (s *Script) Dropped() Dropped {
	s.t.Helper()
	s.ready()
	return s.dropped(false)
}

// Watermark is the earliest watermark of an operator's tasks; false when one has none yet.
func (s *Script) Watermark(operator string) (at time.Time, ok bool) {
	s.t.Helper()
	s.ready()
	low, found := int64(flow.FinalWatermarkNS), false
	for _, t := range s.at.Tasks() {
		if slices.Contains(t.Operators, operator) {
			low, found = min(low, t.Env.Clock.WatermarkNS), true
		}
	}
	if !found {
		s.t.Fatalf("millracetest: the job has no operator %q", operator)
	}
	return time.Unix(0, low).UTC(), low != flow.NoWatermarkNS
}

// Failure calls act, which must make the job fail, and returns the error that would have failed its attempt. The job is over then.
func (s *Script) Failure(act func()) (err error) {
	s.t.Helper()
	s.ready()
	s.failing = true
	defer func() {
		s.failing = false
		r := recover()
		if f, ok := r.(failed); ok {
			err, s.done = f.err, true
		} else if r != nil {
			panic(r)
		}
	}()
	act()
	s.t.Fatal("millracetest: the job did not fail")
	return nil
}

// failed is the panic by which a failure that was asked for leaves its action.
type failed struct{ err error }

// fail ends the script with an error of the job's.
func (s *Script) fail(format string, err error) {
	s.t.Helper()
	if s.failing {
		panic(failed{err})
	}
	s.t.Fatalf("millracetest: "+format, err)
}

// Late is how many records came behind the watermark and were dropped for it.
func (s *Script) Late() int64 {
	s.t.Helper()
	return s.Dropped().Late
}
