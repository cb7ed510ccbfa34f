package runner

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/millrace-io/millrace"
)

// program is one invocation.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	topologies     []Topology
	away           bool // it is a worker: another process has started the job
}

const usage = `usage:
  runner list                    the topologies there are
  runner describe NAME [flags]   the plan: chains, tasks, operators
  runner run NAME [flags]        run it; Ctrl-C stops after a last epoch, the next run goes on from there
  runner run NAME --workers N    the same with N worker processes on this machine; with --nats URL, with workers anywhere
  runner worker --nats URL       a worker: runs tasks of jobs that other processes start; see: runner worker --help
  runner help NAME               the flags of a topology
`

func (p *program) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usagef("no command: want list, describe, run, worker or help; try: runner run wordcount")
	}
	command, rest := args[0], args[1:]
	switch command {
	case "list":
		if len(rest) > 0 {
			return usagef("list takes no arguments, got %q", rest[0])
		}
		return p.list()
	case "describe":
		return p.describe(rest)
	case "run":
		return p.run(ctx, rest)
	case "worker":
		return p.worker(ctx, rest)
	case "help", "-h", "-help", "--help":
		return p.help(rest)
	}
	return usagef("unknown command %q: want list, describe, run, worker or help", command)
}

func (p *program) list() error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, t := range p.topologies {
		fmt.Fprintf(w, "%s\t%s\n", t.Name, t.Doc)
	}
	return w.Flush()
}

func (p *program) help(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(p.stdout, usage, "\n")
		return p.list()
	}
	if len(args) > 1 {
		return usagef("help takes one topology, got %q too", args[1])
	}
	t, err := p.find("help", args)
	if err != nil {
		return err
	}
	newInvocation(t).printHelp(p.stdout)
	return nil
}

// describe prints the plan without starting anything.
func (p *program) describe(args []string) error {
	job, inv, err := p.prepare("describe", args)
	if err != nil || job == nil {
		return err
	}
	text, err := job.Describe(inv.options.config(nil))
	if err != nil {
		return err
	}
	fmt.Fprint(p.stdout, text)
	return nil
}

// prepare finds the topology, parses its flags and builds the job. The job is nil when help was asked for and given.
func (p *program) prepare(command string, args []string) (*millrace.Job, *invocation, error) {
	t, err := p.find(command, args)
	if err != nil {
		return nil, nil, err
	}
	inv := newInvocation(t)
	inv.options.stdin, inv.options.stdout.to = p.stdin, p.stdout
	asked, err := inv.parse(command, args[1:])
	if err != nil {
		return nil, nil, err
	}
	if asked {
		inv.printHelp(p.stdout)
		return nil, nil, nil
	}
	if p.away {
		inv.options.leave()
	}
	job := millrace.NewJob(t.Name)
	if err := inv.build(job, inv.options); err != nil {
		return nil, nil, usagef("%s %s: %w", command, t.Name, err)
	}
	inv.options.attachDeadLetters(job)
	return job, inv, nil
}

// find looks the topology up by its name, the first argument.
func (p *program) find(command string, args []string) (Topology, error) {
	names := make([]string, len(p.topologies))
	for i, t := range p.topologies {
		names[i] = t.Name
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return Topology{}, usagef("%s: the name of a topology comes first: %s", command, strings.Join(names, ", "))
	}
	i := slices.Index(names, args[0])
	if i < 0 {
		return Topology{}, usagef("%s: no topology %q: there are %s", command, args[0], strings.Join(names, ", "))
	}
	return p.topologies[i], nil
}
