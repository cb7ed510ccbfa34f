package millrace

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/internal/rig"
)

func init() {
	rig.Deploy = func(ctx context.Context, job, config any, o rig.Options) (*rig.Attempt, error) {
		return job.(*Job).step(ctx, config.(Config), o)
	}
}

// step makes an attempt of the job that is stepped instead of started.
func (j *Job) step(ctx context.Context, c Config, o rig.Options) (*rig.Attempt, error) {
	r, err := j.rehearse(ctx, c.withDefaults())
	if err != nil {
		return nil, err
	}
	d := &deployment{
		job: j, plan: r.plan, config: r.config, ctx: ctx, attempt: o.Attempt, lineage: "stepped", keyGroups: r.keyGroups,
		now: func() int64 { return o.NowNS }, refuse: o.Refuse,
	}
	built, err := d.build()
	if err != nil {
		return nil, j.wrong([]error{err})
	}
	o.Stepped.Mode = r.config.mode()
	s, err := actors.NewStepped(ctx, built, o.Stepped)
	if err != nil {
		return nil, fmt.Errorf("step job %q: %w", j.name, err)
	}
	return &rig.Attempt{Stepped: s, Linear: linear(r.plan)}, nil
}

// linear says whether records have one way through the plan.
func linear(p *plan.Plan) bool {
	for i := range p.Chains {
		if p.Chains[i].Tasks != 1 {
			return false
		}
	}
	for _, s := range p.Steps {
		if len(s.In) > 1 {
			return false
		}
	}
	return true
}
