package plan

import (
	"fmt"
	"strings"
)

// Chain is the steps that share a task: the head takes records from lanes or a source, the others are fused behind it.
type Chain struct {
	Head  string
	Steps []string // in topological order, head first
	Tasks int
}

// Plan is a topology with chains and parallelism fixed.
type Plan struct {
	Job    string
	Steps  []*Step // in the order they were built, which is topological
	Chains []Chain
	byID   map[string]*Step
	chain  map[string]int // step id to chain
}

// Options fix what the topology leaves open.
type Options struct {
	Default int            // parallelism of sources and keyed steps that name none; at least 1
	Tasks   map[string]int // per step id, overrides
	Groups  int            // number of key groups: no keyed step can have more tasks
	// SinksApart makes each sink a chain of its own, which can run in another process than what it reads.
	SinksApart bool
}

// New fixes chains and parallelism. Steps must be in topological order with unique ids. All faults are returned.
func New(job string, steps []*Step, o Options) (*Plan, []error) {
	p := &Plan{Job: job, Steps: steps, byID: map[string]*Step{}, chain: map[string]int{}}
	var faults []error
	for _, s := range steps {
		p.byID[s.ID] = s
	}
	for id := range o.Tasks {
		if p.byID[id] == nil {
			faults = append(faults, fmt.Errorf("config names operator %q; job %q has: %s", id, job, strings.Join(p.ids(), ", ")))
		}
	}
	for _, s := range steps {
		n := p.parallelism(s, o)
		if s.Keyed && o.Groups > 0 && n > o.Groups {
			faults = append(faults, fmt.Errorf("operator %q has %d tasks, more than the %d key groups; lower its parallelism", s.ID, n, o.Groups))
		}
		if at, fused := p.fuses(s, n); fused && (!s.Sink || !o.SinksApart) {
			p.chain[s.ID] = at
			p.Chains[at].Steps = append(p.Chains[at].Steps, s.ID)
			continue
		}
		p.chain[s.ID] = len(p.Chains)
		p.Chains = append(p.Chains, Chain{Head: s.ID, Steps: []string{s.ID}, Tasks: n})
	}
	return p, faults
}

func (p *Plan) parallelism(s *Step, o Options) int {
	if n := o.Tasks[s.ID]; n > 0 {
		return n
	}
	if s.Tasks > 0 {
		return s.Tasks
	}
	if !s.Source && p.partitioned(s) {
		return p.Tasks(s.In[0].From)
	}
	if s.Source || s.In[0].Ship != Forward {
		return max(o.Default, 1)
	}
	n := 0
	for _, in := range s.In {
		n = max(n, p.Tasks(in.From))
	}
	return n
}

// partitioned says whether s is keyed and its one input is already partitioned by that key.
func (p *Plan) partitioned(s *Step) bool {
	return len(s.In) == 1 && s.In[0].Ship == Hash && s.Key != "" && p.byID[s.In[0].From].Rows == s.Key
}

// fuses says whether s runs in the task of its input: one input, forwarded or partitioned alike, with the same parallelism.
func (p *Plan) fuses(s *Step, tasks int) (chain int, ok bool) {
	if len(s.In) != 1 || s.Waits || s.In[0].Ship != Forward && !p.partitioned(s) {
		return 0, false
	}
	c := p.chain[s.In[0].From]
	return c, p.Chains[c].Tasks == tasks && (!s.Clock || p.clockless(c))
}

// clockless says that a chain has a source for a head and no clock: its records still know which split they came from.
func (p *Plan) clockless(chain int) bool {
	c := &p.Chains[chain]
	for _, id := range c.Steps {
		if p.byID[id].Clock {
			return false
		}
	}
	return p.byID[c.Head].Source
}

// Fused says whether records pass from one step to the other inside a task.
func (p *Plan) Fused(from, to string) bool { return p.chain[from] == p.chain[to] }

// Tasks is the parallelism of a step.
func (p *Plan) Tasks(step string) int { return p.Chains[p.chain[step]].Tasks }

// Step finds a step by id, nil when there is none.
func (p *Plan) Step(id string) *Step { return p.byID[id] }

// ChainOf is the chain a step runs in.
func (p *Plan) ChainOf(step string) *Chain { return &p.Chains[p.chain[step]] }

func (p *Plan) ids() []string {
	ids := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		ids[i] = s.ID
	}
	return ids
}
