package plan

// Ship says how records get from a step to the next.
type Ship uint8

const (
	// Forward hands a record to the same task, or to task i mod n when the parallelism changes: a split's order survives.
	Forward Ship = iota
	// Hash sends a record to the task that owns its key's group.
	Hash
	// Round deals records round.
	Round
	// All sends each record to every task.
	All
)

// String is the name used in the plan's text.
func (s Ship) String() string { return [...]string{"forward", "hash", "round-robin", "broadcast"}[s] }

// Step is one named operator of a topology.
type Step struct {
	ID    string
	Kind  string // the verb: source, map, count, sink; shown to people and part of the hash
	In    []Input
	Type  string // record type that leaves it, as a person writes it
	Tasks int    // wanted parallelism; 0 inherits from the first input, or takes the default where nothing is inherited

	Keyed   bool   // owns key groups
	Key     string // schema of the key, when keyed
	Updates bool   // updates by key; otherwise it appends
	Rows    string // schema of the key its records are partitioned by when they leave: a step keyed alike needs no shuffle
	Source  bool
	Sink    bool
	// Clock makes the watermark of its chain: it shares a task with a source, but with no other clock.
	Clock bool
	// Waits for the watermark: it heads its chain.
	Waits  bool
	Config string // what else must match for its state to be usable, part of the hash

	Guarantee string // of a sink, in its own words: shown to people
}

// Input is one step's reading of another.
type Input struct {
	From string
	Ship Ship
}
