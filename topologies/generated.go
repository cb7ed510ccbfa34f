package topologies

import "time"

// firstDay is when the event time of generated records begins. It does not depend on the clock, so that a generator makes the
// same records in each run, whatever the trigger and the parallelism.
var firstDay = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// generatedAt is the event time of generated record i: one for each step, each later than its turn by less than disorder. So no
// record is disorder or more behind one with a smaller number.
func generatedAt(i int64, step, disorder time.Duration) time.Time {
	return firstDay.Add(time.Duration(i)*step + time.Duration(below(i, int64(disorder))))
}

// below is a number from 0 to n-1 that depends on i alone.
func below(i, n int64) int64 { return int64(mix(uint64(i)) % uint64(n)) }

const (
	clockFormat  = "2006-01-02 15:04:05"
	finestFormat = "15:04:05.000"
)
