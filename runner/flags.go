package runner

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/millrace-io/millrace"
)

// invocation is a topology with the flags of one command line.
type invocation struct {
	topology Topology
	flags    *flag.FlagSet
	common   map[string]bool // names of the flags every job has
	options  *Options
	build    Build
}

func newInvocation(t Topology) *invocation {
	v := &invocation{topology: t, flags: flag.NewFlagSet(t.Name, flag.ContinueOnError), common: map[string]bool{}, options: &Options{name: t.Name}}
	v.flags.SetOutput(io.Discard)
	v.options.register(v.flags)
	v.flags.VisitAll(func(f *flag.Flag) { v.common[f.Name] = true })
	v.build = t.Flags(v.flags)
	return v
}

// register declares the flags every job understands.
func (o *Options) register(fs *flag.FlagSet) {
	fs.StringVar(&o.stateDir, "state-dir", filepath.Join("data", o.name), "`DIR` of the job's checkpoints: a second run goes on from them; empty for none")
	fs.StringVar(&o.fromSavepoint, "from-savepoint", "", "begin with the state of the savepoint in `DIR`, in an empty --state-dir; the same command line again goes on from there")
	fs.StringVar(&o.stopSavepoint, "stop-with-savepoint", "", "make a savepoint in `DIR`, which must not be there or be empty, when an interrupt stops the job")
	fs.TextVar(&o.state, "state", backend(millrace.Memory), "where live state is kept: memory, or badger for state larger than memory")
	fs.Int64Var(&o.cacheMB, "cache-mb", 256, "memory that badger may use, `MiB`")
	fs.DurationVar(&o.checkpointEvery, "checkpoint-interval", time.Second, "time between two checkpoints, which bounds the work of a restart")
	fs.DurationVar(&o.commitEvery, "commit-every", 0, "time between two epochs, which bounds what a restart repeats and how soon transactional output is seen; 0 for 20ms with such output, else the checkpoint interval")
	fs.IntVar(&o.retain, "retain-epochs", 2, "complete `EPOCHS` that stay in the state directory")
	fs.Int64Var(&o.reserveMB, "reserve-mb", 0, "disk space to leave free, `MiB`: below it no epoch is recorded; 0 for 64, and 1024 beside badger")
	fs.TextVar(&o.guarantee, "guarantee", guarantee(millrace.ExactlyOnce), "of the state: exactly-once, at-least-once or at-most-once")
	fs.TextVar(&o.trigger, "trigger", trigger(millrace.RealTime(0)), "when batches begin: `TRIGGER` real-time, micro-batch, every=INTERVAL, once or available-now; the last two end the job")
	fs.Int64Var(&o.batchMax, "max-records-per-batch", 0, "`RECORDS` that a batch takes of each split at most, 0 for no limit; once and real-time have none")
	fs.IntVar(&o.parallelism, "parallelism", 0, "`TASKS` of sources and keyed operators, 0 for the number of processors")
	fs.Int64Var(&o.rate, "rate", 0, "input `RECORDS` per second over all sources, 0 for unlimited; unless given, generated input has a pace of its own and other input none")
	fs.Int64Var(&o.records, "records", 0, "end the input after exactly this many `RECORDS`, over all sources and restarts, 0 for never")
	fs.StringVar(&o.deadLetters, "dead-letters", "", "append records that cannot be decoded to `FILE` as JSON lines; without it they fail the job")
	fs.BoolVar(&o.quiet, "quiet", false, "no live view; warnings and errors only")
	fs.StringVar(&o.cpuProfile, "cpuprofile", "", "write a CPU profile of the run to `FILE`")
	fs.IntVar(&o.workers, "workers", 0, "`N` worker processes that run the tasks, 0 for this process alone; sinks, and input that only this process can read, stay here. "+
		"Without --nats they are started on this machine, with a NATS server of their own")
	o.link.register(fs)
}

// parse reads the flags. asked says that help was asked for.
func (v *invocation) parse(command string, args []string) (asked bool, err error) {
	err = v.flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return true, nil
	}
	where := command + " " + v.topology.Name
	if err != nil {
		return false, usagef("%s: %s; see: runner help %s", where, flagText(err), v.topology.Name)
	}
	if v.flags.NArg() > 0 {
		return false, usagef("%s: unexpected argument %q; flags look like --rate 1000", where, v.flags.Arg(0))
	}
	v.flags.Visit(func(f *flag.Flag) { v.options.rateGiven = v.options.rateGiven || f.Name == "rate" })
	if err := v.options.validate(); err != nil {
		return false, usagef("%s: %w", where, err)
	}
	return false, nil
}

// flagText rewords the flag package's errors.
func flagText(err error) string {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return fmt.Sprintf("unknown flag --%s", strings.TrimPrefix(name, "-"))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fmt.Sprintf("flag --%s needs a value", name)
	}
	return strings.Replace(text, " for flag -", " for flag --", 1)
}

// backend is a StateBackend as a flag.
type backend millrace.StateBackend

// MarshalText implements encoding.TextMarshaler.
func (b backend) MarshalText() ([]byte, error) { return []byte(millrace.StateBackend(b).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *backend) UnmarshalText(text []byte) error {
	for _, x := range []millrace.StateBackend{millrace.Memory, millrace.Badger} {
		if string(text) == x.String() {
			*b = backend(x)
			return nil
		}
	}
	return errors.New("want memory or badger")
}

// guarantee is a Guarantee as a flag.
type guarantee millrace.Guarantee

// MarshalText implements encoding.TextMarshaler.
func (g guarantee) MarshalText() ([]byte, error) { return []byte(millrace.Guarantee(g).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (g *guarantee) UnmarshalText(text []byte) error {
	for _, x := range []millrace.Guarantee{millrace.ExactlyOnce, millrace.AtLeastOnce, millrace.AtMostOnce} {
		if string(text) == x.String() {
			*g = guarantee(x)
			return nil
		}
	}
	return errors.New("want exactly-once, at-least-once or at-most-once")
}
