package millrace

import (
	"context"
	"fmt"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/plan"
	"github.com/millrace-io/millrace/internal/rig"
)

func init() {
	rig.Rehearse = func(ctx context.Context, job, config any) (*rig.Rehearsal, error) {
		return job.(*Job).simulate(ctx, config.(Config))
	}
	rig.Deploy = func(ctx context.Context, job, config any, o rig.Options) (*rig.Attempt, error) {
		return job.(*Job).step(ctx, config.(Config), o)
	}
}

// simulate rehearses the job and says how to run it on another ground than Start's.
func (j *Job) simulate(ctx context.Context, c Config) (*rig.Rehearsal, error) {
	r, err := j.rehearse(ctx, j.paced(c).withDefaults())
	if err != nil {
		return nil, err
	}
	return &rig.Rehearsal{
		Log: r.logOptions(),
		Job: func(log *checkpoint.Log, now func() int64, refuse func() bool) actors.JobConfig {
			run := r.jobConfig(log)
			run.Now = now
			run.Build = func(ctx context.Context, attempt flow.Attempt) (*actors.Deployment, error) {
				d := r.attemptOf(ctx, attempt, log, now)
				d.refuse = refuse
				return d.build()
			}
			return run
		},
	}, nil
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
