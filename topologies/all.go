package topologies

import "github.com/millrace-io/millrace/runner"

// All lists the topologies of cmd/runner by name.
func All() []runner.Topology {
	return []runner.Topology{
		wordCount,
		kafkaCopy,
		kafkaRepartition,
		kafkaUnion,
		countByValue,
		unionCount,
		ttlState,
		rate,
		keyedCount,
		broadcastJoin,
		dropDuplicates,
		adClicks,
		jsonToJSON,
		wordCountFiles,
		socketCount,
		tradesAverage,
		traffic,
		studentsClasses,
		tradesLive,
		invoicesPostgres,
		wordCountPostgres,
	}
}
