package fault

// When says when a process comes to a point.
type When uint8

// A process comes to a point
const (
	EachEpoch When = iota // at least once a checkpoint interval
	EachStart             // while an attempt begins
	FirstRun              // while the first attempt of a lineage begins
)

// Place is a point and when it is met.
type Place struct {
	Name string
	When When
}

// Places are all points there are, by what they belong to.
func Places() []Place {
	var all []Place
	add := func(when When, names ...string) {
		for _, name := range names {
			all = append(all, Place{name, when})
		}
	}
	add(FirstRun, "checkpoint/first-head", "deploy/starts-recorded")
	add(EachStart, "checkpoint/sweep",
		"deploy/attempt-begun", "deploy/built", "deploy/state-restored", "deploy/recover", "deploy/recovered",
		"kafka/recover-commit", "kafka/recover-committed", "kafka/recover-init", "kafka/recover-init-answered",
		"files/recover-copied", "files/recover-settled", "files/recover-published",
		"postgres/recover", "postgres/lease-claimed", "postgres/lease-taken")
	add(EachEpoch,
		"epoch/begun", "epoch/frozen", "epoch/barrier-forwarded", "epoch/output-prepared", "epoch/acknowledged", "epoch/complete", "epoch/output-committed",
		"checkpoint/segment", "checkpoint/slot", "checkpoint/slot-taken", "checkpoint/head-moved",
		"checkpoint/fold", "checkpoint/fold-merged", "checkpoint/garbage", "checkpoint/garbage-deleted",
		"dirstore/written", "dirstore/synced", "dirstore/linked", "dirstore/temporary-removed", "dirstore/directory-synced",
		"dirstore/replacement-synced", "dirstore/renamed",
		"kafka/init", "kafka/init-answered", "kafka/add-partitions", "kafka/partitions-added", "kafka/produce", "kafka/produce-under-way", "kafka/produced",
		"kafka/flushed", "kafka/commit", "kafka/commit-under-way", "kafka/commit-answered",
		"files/created", "files/written", "files/synced", "files/names-synced", "files/closed", "files/publish", "files/linked", "files/links-synced",
		"files/hidden-removed",
		"postgres/begun", "postgres/commit-under-way", "postgres/commit-answered")
	return all
}
