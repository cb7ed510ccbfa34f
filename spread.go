package millrace

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/codec"
)

// spread says which tasks of a deployment are of this process.
type spread struct {
	members []string
	at      []int // member of each task, by its number in the deployment
	me      int   // nobody when it is no member: then all tasks are away
	wire    Wire
}

const nobody = -1

// first is the number of a chain's first task: chains count from the last, as result hands them over.
func (d *deployment) first(head string) (n int) {
	for _, c := range slices.Backward(d.plan.Chains) {
		if c.Head == head {
			break
		}
		n += c.Tasks
	}
	return n
}

// away says whether another process runs task index of a chain.
func (d *deployment) away(head string, index int) bool {
	if d.spread == nil {
		return false
	}
	return d.spread.me == nobody || d.spread.at[d.first(head)+index] != d.spread.me
}

// home is the member that has started the job: sinks and sources that show, or share, what is of its process run there.
const home = 0

// atHome says whether a chain must run in the process that has started the job.
func (d *deployment) atHome(head string) bool {
	return slices.ContainsFunc(d.plan.ChainOf(head).Steps, func(id string) bool { return d.job.byID[id].atHome() })
}

// atHome says whether a step must run there.
func (s *step) atHome() bool { return s.Sink || s.Source && !s.splits.portable }

// distribute deals the tasks of each chain to the members in equal parts, those with the same index of two chains to the same one as far as may be.
func (d *deployment) distribute(tasks []*actors.Task, members int) []int {
	at := make([]int, len(tasks))
	for i, t := range tasks {
		at[i] = home
		if members > 1 && !d.atHome(t.Chain) {
			at[i] = 1 + t.Index*(members-1)/t.Count
		}
	}
	return at
}

// assignment is what a member needs to build its tasks of an attempt.
type assignment struct {
	Plan, Build string // what the member's own must be
	Lineage     string
	KeyGroups   int
	Chains      []chainTasks
	Members     []string
	At          []int
	Me          int
}

// chainTasks is how many tasks a chain has.
type chainTasks struct {
	Head  string
	Tasks int
}

// assignments are what Cluster.Place gives: where each task runs, and for each member its assignment.
func (d *deployment) assignments(tasks *actors.Deployment, members []string) (at []int, specs [][]byte, err error) {
	e, err := codec.Derive[assignment]()
	if err != nil {
		return nil, nil, err
	}
	a := assignment{Plan: d.plan.Hash(), Build: buildID(), Lineage: d.lineage, KeyGroups: d.keyGroups, Members: members}
	for _, c := range d.plan.Chains {
		a.Chains = append(a.Chains, chainTasks{c.Head, c.Tasks})
	}
	a.At = d.distribute(tasks.Tasks, len(members))
	for a.Me = range members {
		specs = append(specs, e.Append(nil, &a))
	}
	return a.At, specs, nil
}

// errOtherBuild is refused: the members of an attempt must be one program.
var errOtherBuild = errors.New("the worker is another program than the one that started the job: give all processes the same binary")

// accept reads an assignment for the rehearsed job d.
func (d *deployment) accept(spec []byte) (*assignment, error) {
	e, err := codec.Derive[assignment]()
	if err != nil {
		return nil, err
	}
	a := new(assignment)
	rest, err := e.Decode(spec, a)
	switch {
	case err != nil:
		return nil, fmt.Errorf("assignment: %w", err)
	case len(rest) > 0 || a.Me < 0 || a.Me >= len(a.Members):
		return nil, fmt.Errorf("assignment: %w", codec.ErrDamaged)
	case a.Build != buildID():
		return nil, fmt.Errorf("%w (build %s here, %s there)", errOtherBuild, buildID(), a.Build)
	case a.Plan != d.plan.Hash():
		return nil, fmt.Errorf("the worker builds plan %s of job %q, and the process that started it plan %s: give both the same arguments and files", d.plan.Hash(), d.job.name, a.Plan)
	}
	var chains []chainTasks
	total := 0
	for _, c := range d.plan.Chains {
		chains = append(chains, chainTasks{c.Head, c.Tasks})
		total += c.Tasks
	}
	if !slices.Equal(chains, a.Chains) {
		return nil, fmt.Errorf("the worker has chains %v, and the process that started the job %v: give both the same parallelism", chains, a.Chains)
	}
	if len(a.At) != total {
		return nil, fmt.Errorf("assignment: %w: %d tasks of %d", codec.ErrDamaged, len(a.At), total)
	}
	return a, nil
}

// buildID says which program this is: the hash of its file.
var buildID = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "unknown"
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
})
