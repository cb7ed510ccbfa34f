package runner

import (
	"flag"

	"github.com/millrace-io/millrace"
)

// Topology is a job that the command line runs by name. It is a value: the streams are pure functions elsewhere, and Flags
// says how their ends are attached.
type Topology struct {
	Name string // letters, digits, dash; also the job's name and the default folder of its state
	Doc  string // one line for list and help
	// Flags registers the topology's own flags and returns what builds the job once they are parsed. It is called once
	// per command and must have no other effect.
	Flags func(*flag.FlagSet) Build
}

// Build attaches sources and sinks to a job. It is called once per command, after the flags were parsed. An error is for what
// is wrong with the flags; what is wrong with the streams is remembered by the job.
type Build func(*millrace.Job, *Options) error
