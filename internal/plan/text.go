package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Hash says whether state belongs to this topology: ids, kinds, edges, keys and what each step adds. Parallelism is not
// in it, nor is the chaining that follows from it: both may change between two runs. So may the trigger, and with it how records
// get to a sink.
func (p *Plan) Hash() string {
	h := sha256.New()
	for _, s := range p.Steps {
		fmt.Fprintf(h, "step %q kind %q keyed %t key %q updates %t config %q\n", s.ID, s.Kind, s.Keyed, s.Key, s.Updates, s.Config)
		for _, in := range s.In {
			ship := in.Ship
			if s.Sink {
				ship = Forward
			}
			fmt.Fprintf(h, "  in %q %s\n", in.From, ship)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Text draws the plan: a line per chain with its tasks, a line per step with where its records come from.
func (p *Plan) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %s: %d operators in %d chains, plan %s\n", p.Job, len(p.Steps), len(p.Chains), p.Hash())
	width := 0
	for _, s := range p.Steps {
		width = max(width, len(s.ID))
	}
	for i, c := range p.Chains {
		fmt.Fprintf(&b, "\nchain %d: %s\n", i+1, count(c.Tasks, "task"))
		for _, id := range c.Steps {
			s := p.byID[id]
			fmt.Fprintf(&b, "  %-*s  %s", width, id, describe(s))
			if from := p.origins(s); from != "" {
				fmt.Fprintf(&b, "  <- %s", from)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func describe(s *Step) string {
	d := s.Kind
	if s.Type != "" {
		d += " " + s.Type
	}
	switch {
	case s.Sink && s.Guarantee != "":
		d += ", " + s.Guarantee
	case s.Sink:
	case s.Updates:
		d += ", updates by key"
	default:
		d += ", appends"
	}
	return d
}

// origins names what a step reads, with the way it is shipped when it crosses a lane.
func (p *Plan) origins(s *Step) string {
	var from []string
	for _, in := range s.In {
		if len(s.In) == 1 && p.Fused(in.From, s.ID) {
			from = append(from, in.From)
			continue
		}
		from = append(from, fmt.Sprintf("%s (%s)", in.From, in.Ship))
	}
	return strings.Join(from, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
