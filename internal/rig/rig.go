// Package rig is the seam between the public API and the test kit: a job's own plan, tasks, lanes and state, stepped instead of
// started. It is not part of the public API; the root package fills it in, package millracetest uses it.
package rig

import (
	"context"

	"github.com/millrace-io/millrace/actors"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
)

// Options are what of an attempt is not in the job's configuration.
type Options struct {
	Attempt flow.Attempt
	Stepped actors.SteppedConfig
	// NowNS is the processing time at which the tasks start, Unix nanoseconds.
	NowNS int64
	// Refuse is asked before each batch goes into a lane, whether the lane is to refuse it as if it were full; nil: never.
	Refuse func() bool
}

// Attempt is a job whose tasks can be stepped.
type Attempt struct {
	*actors.Stepped
	// Linear says that records have one way through the job, and one task on each of its chains: what comes out has one order.
	Linear bool
}

// Rehearsal is a job that was checked as Start checks it, and what Start would go on with.
type Rehearsal struct {
	// Log says which lineage; its Store is missing.
	Log checkpoint.Options
	// Job is how the job runs on the lineage's log, with live state in memory and now for its clock. refuse is as in Options.
	Job func(log *checkpoint.Log, now func() int64, refuse func() bool) actors.JobConfig
}

// Rehearse checks job, a *millrace.Job, under config, a millrace.Config.
var Rehearse func(ctx context.Context, job, config any) (*Rehearsal, error)

// Deploy builds job, a *millrace.Job, under config, a millrace.Config, and restores the blocks it is given. What Start would
// find wrong is the error. It may be called several times for one job.
var Deploy func(ctx context.Context, job, config any, o Options) (*Attempt, error)
