// Package millracetest runs a topology in tests: on the engine's own plan, tasks, lanes, state, timers and snapshots, in one
// goroutine, on a virtual clock that stands still unless the test moves it.
//
// [Run] is for a topology function of one stream. It gives it the records, ends the input, and demands that nothing the engine
// may do in production changes what comes out:
//
//	func TestUnique(t *testing.T) {
//		a, b := Order{ID: "1"}, Order{ID: "2"}
//		got := millracetest.Run(t, Unique, a, a, b)
//		if want := []Order{a, b}; !slices.Equal(got, want) {
//			t.Fatalf("got %v, want %v", got, want)
//		}
//	}
//
// [RunTable] is the same for a topology that ends in a table. [Play] is for everything else: several inputs, event times and
// watermarks, processing time, timers, kinds of changes, state. It takes a script, a function that builds the job and then acts
// on it, and calls it once under each of [Variants], each as a subtest named after the variant:
//
//	millracetest.Play(t, func(s *millracetest.Script) {
//		logins := s.Input[Login]()
//		alerts := s.Output[Alert]()
//		s.Build(func(j *millrace.Job) {
//			Watch(j.From("logins", logins)).To("alerts", alerts)
//		})
//		logins.Send(Login{User: "ann"}, Login{User: "ann"})
//		alerts.Want(Alert{User: "ann", Count: 2})
//		s.Advance(time.Minute)
//		alerts.Want(Alert{User: "ann", Quiet: true})
//	})
//
// # Actions
//
// Every record sent, every watermark, every piece of time that passes and the end of an input is an action. After each the job is
// run until no task has anything left to do, so the meaning of a script does not depend on how records happen to share a batch.
// Between two actions everything can be asserted: output, late records, state and timers. [Input.SendTogether] is one action for
// many records, for what may depend on it.
//
// # Variants
//
// [Plain] is one task for each chain. The others demand the same of an engine that has a bad day: lanes of capacity one, batches
// of one record and half of all sends refused; after every action a snapshot, from which new tasks of a newly built job are
// restored; a crash in the middle of an action, in flight records lost, epochs before it or none; several tasks for each chain, also
// another number after each restore. What an attempt wrote after the epoch it is restored from is taken back, as a
// transactional sink would. [RandomVariant] mixes these by a seed, for tests that run many scripts once instead of one under many.
//
// A variant's order of steps and its points of restore come from its seed, which is in the subtest's name: the same name does the
// same.
//
// # Time
//
// A test runs in a [testing/synctest] bubble that begins at midnight UTC 2000-01-01. Processing time is the bubble's clock; it
// moves by [Script.Advance] and [Script.AdvanceTo] only, from one thing that is due to the next, so that a timer fires at its time
// and not at the end of the advance. Look-ups and other I/O of operators run on goroutines of the bubble: an action ends when all
// of them wait, and a timeout or back-off of theirs passes with the virtual clock. I/O with other processes has no place in a bubble.
package millracetest
