package workload

import "time"

// The loads that show what checkpoints cost, both on a million keys of which an epoch finds 50,000 changed.
const (
	checkpointKeys = 1_000_000
	// ChangedKeys is how many keys an epoch of either load finds changed.
	ChangedKeys = 50_000
	// ThroughputInterval is the checkpoint interval of CheckpointThroughput.
	ThroughputInterval = 100 * time.Millisecond
	// LatencyInterval is the checkpoint interval of CheckpointLatency.
	LatencyInterval = 500 * time.Millisecond
)

// CheckpointThroughput is a closed loop. However fast it runs, it changes only ChangedKeys keys in an interval, and others
// in the next.
func CheckpointThroughput() Load {
	return Load{Keys: Keys(checkpointKeys), Draw: MovingSet, SetKeys: ChangedKeys, SetEvery: ThroughputInterval}
}

// CheckpointLatency is an open loop of 100,000 records/s that takes one key after the other, so that as many keys change
// in an interval as records arrive.
func CheckpointLatency() Load {
	return Load{Keys: Keys(checkpointKeys), Draw: RoundRobin, RatePerSecond: float64(ChangedKeys) / LatencyInterval.Seconds()}
}
