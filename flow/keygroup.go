package flow

// KeyGroup is one of a fixed number of buckets of keys: the unit of state ownership, snapshot, restore and rescaling.
type KeyGroup uint16

const (
	// DefaultKeyGroups is the number of key groups of a new lineage.
	DefaultKeyGroups = 128
	// MaxKeyGroups bounds the parallelism of a keyed operator.
	MaxKeyGroups = 1 << 15
)

// GroupOf is the key group of a key's hash. groups is a power of two up to MaxKeyGroups; it uses the low bits,
// tables index by the high ones.
func GroupOf(hash uint64, groups int) KeyGroup { return KeyGroup(hash & uint64(groups-1)) }

// TaskOf is the task of tasks that owns group g of groups. It inverts RangeOf.
func TaskOf(g KeyGroup, groups, tasks int) int { return int(g) * tasks / groups }

// GroupRange is the half-open range of key groups [Lo, Hi) that a task owns.
type GroupRange struct{ Lo, Hi int }

// RangeOf is the range of key groups that task owns. The ranges of all tasks are disjoint and cover all groups.
func RangeOf(task, groups, tasks int) GroupRange {
	return GroupRange{(task*groups + tasks - 1) / tasks, ((task+1)*groups + tasks - 1) / tasks}
}

// Contains says whether the range holds g.
func (r GroupRange) Contains(g KeyGroup) bool { return r.Lo <= int(g) && int(g) < r.Hi }

// Len is the number of groups in the range.
func (r GroupRange) Len() int { return r.Hi - r.Lo }
