package runner

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/cluster"
)

// workerFlags are those of the worker command.
type workerFlags struct {
	link      link
	name      string
	quiet     bool
	tillStdin bool
}

func (w *workerFlags) register() *flag.FlagSet {
	fs := flag.NewFlagSet("worker", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	w.link.register(fs)
	fs.StringVar(&w.name, "name", "", "what messages call this `WORKER`; default: host/process")
	fs.BoolVar(&w.quiet, "quiet", false, "warnings and errors only")
	fs.BoolVar(&w.tillStdin, "until-stdin-ends", false, "end when standard input does: for programs that start workers")
	return fs
}

const workerDoc = "runs tasks of jobs that other processes start with run NAME --nats URL --workers N"

// worker serves whoever asks through NATS until ctx ends.
func (p *program) worker(ctx context.Context, args []string) error {
	w := &workerFlags{}
	fs := w.register()
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(p.stdout, "worker: %s\n\nusage: runner worker --nats URL [flags]\n\nFlags:\n", workerDoc)
		fs.VisitAll(func(f *flag.Flag) { printFlag(p.stdout, f) })
		return nil
	case err != nil:
		return usagef("worker: %s; see: runner worker --help", flagText(err))
	case fs.NArg() > 0:
		return usagef("worker: unexpected argument %q; a worker takes any job that its cluster offers", fs.Arg(0))
	case len(list(w.link.urls)) == 0:
		return usagef("worker: no server: give --nats URL")
	}
	w.link.environment()
	if err := w.link.validate(); err != nil {
		return usagef("worker: %w", err)
	}
	if w.name == "" {
		host, _ := os.Hostname() // what it is called matters to readers only
		w.name = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if w.tillStdin {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() { // ends with its input, at the latest with the process
			_, _ = io.Copy(io.Discard, p.stdin)
			cancel()
		}()
	}
	return p.serve(ctx, w)
}

func (p *program) serve(ctx context.Context, w *workerFlags) error {
	c, err := w.link.connect(ctx, w.name, p.stderr, true)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer closed(c.Conn)
	o := &Options{quiet: w.quiet}
	log := o.logger(p.stderr).With("worker", w.name)
	if !w.quiet {
		prefix := w.link.prefix
		if prefix == "" {
			prefix = "millrace"
		}
		fmt.Fprintf(p.stdout, "worker %s is ready for jobs of cluster %s at %s\n", w.name, prefix, c.Conn.ConnectedAddr())
	}
	return cluster.Serve(ctx, c, w.name, func(ctx context.Context, offer cluster.Offer) error {
		err := p.take(ctx, offer, log)
		if err != nil && ctx.Err() == nil {
			log.Warn("a job has left", "job", offer.Job, "cause", oneLine(err))
		}
		return err
	})
}

// take runs tasks of a job.
func (p *program) take(ctx context.Context, offer cluster.Offer, log *slog.Logger) error {
	away := *p
	away.stdin, away.stdout = strings.NewReader(""), io.Discard // they are of the process that has started the job
	away.away = true
	job, inv, err := away.prepare("run", append([]string{offer.Job}, offer.Args...))
	if err != nil {
		return err
	}
	if job == nil {
		return errors.New("the arguments ask for help")
	}
	log.Info("runs tasks of a job", "job", offer.Job, "for", offer.Link.Name())
	return job.Work(ctx, inv.options.config(log), offer.Wire, offer.Link)
}

// closed closes a connection and waits for what it still has to write.
func closed(conn *nats.Conn) {
	_ = conn.FlushTimeout(natsTimeout) // of a connection that is lost
	conn.Close()
}

// homeFlags are the flags of every job that matter only in the process that has started it.
var homeFlags = map[string]bool{
	"state-dir": true, "from-savepoint": true, "stop-with-savepoint": true, "retain-epochs": true, "quiet": true, "cpuprofile": true,
}

// shape is the arguments from which a worker builds the same job.
func (v *invocation) shape() []string {
	args := []string{fmt.Sprintf("--parallelism=%d", v.options.Parallelism())}
	v.flags.Visit(func(f *flag.Flag) {
		if f.Name != "parallelism" && (!v.common[f.Name] || !homeFlags[f.Name] && !clusterFlags[f.Name]) {
			args = append(args, fmt.Sprintf("--%s=%s", f.Name, f.Value))
		}
	})
	return args
}

// leave makes options those of a worker: nothing is read, shown or written but by the process that has started the job.
func (o *Options) leave() {
	o.stateDir, o.fromSavepoint, o.stopSavepoint, o.cpuProfile, o.quiet = "", "", "", "", true
	if o.deadLetters != "" {
		o.deadLetters = os.DevNull
	}
}
