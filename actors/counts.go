package actors

import "sync/atomic"

// all lists the counts, in the order in which they go over the wire.
func (s *Stats) all() []*atomic.Int64 {
	return []*atomic.Int64{
		&s.RecordsIn, &s.RecordsOut, &s.Filtered, &s.DeadLetters, &s.Late, &s.StateEntries, &s.StateBytes, &s.BlockedTurns, &s.CutsAhead, &s.ChannelRecords,
	}
}

func (s *Stats) counts() []int64 {
	var out []int64
	for _, c := range s.all() {
		out = append(out, c.Load())
	}
	return out
}

// set takes the counts of a task that is Away.
func (s *Stats) set(counts []int64) {
	for i, c := range s.all() {
		if i < len(counts) {
			c.Store(counts[i])
		}
	}
}
