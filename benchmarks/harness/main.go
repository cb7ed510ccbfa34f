package harness

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
)

// Main is the main function of a benchmark: it parses the flags (the shared ones and those registered before the call),
// runs what prepare returns, prints, plots and exits. seconds is the default of -seconds. cleanup runs behind the last
// round, and also when prepare itself or a round failed; it may be nil.
func Main(seconds float64, prepare func(ctx context.Context, o Options) (b Benchmark, cleanup func() error, err error)) {
	ServePacer()
	var o Options
	o.Register(flag.CommandLine, seconds)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, o, prepare)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o Options, prepare func(context.Context, Options) (Benchmark, func() error, error)) error {
	if err := o.validate(); err != nil {
		return err
	}
	b, cleanup, err := prepare(ctx, o)
	var rep Report
	if err == nil {
		err = o.Profiled(b.Name, func() error {
			rep, err = b.Run(ctx, o, os.Stderr)
			return err
		})
	}
	if cleanup != nil {
		if e := cleanup(); e != nil {
			err = errors.Join(err, fmt.Errorf("clean up: %w", e))
		}
	}
	if err != nil {
		return err
	}
	return b.publish(os.Stdout, rep, o)
}

// Profiled runs a function under the processor profile that the options ask for. name is the benchmark's.
func (o Options) Profiled(name string, run func() error) (err error) {
	if o.Profile == "" {
		return run()
	}
	f, err := os.Create(o.Profile)
	if err != nil {
		return fmt.Errorf("benchmark %q: profile: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return fmt.Errorf("benchmark %q: profile: %w", name, err)
	}
	defer pprof.StopCPUProfile()
	return run()
}

// publish shows the report and writes, as the last line, the JSON.
func (b Benchmark) publish(w io.Writer, rep Report, o Options) error {
	if err := b.Show(w, rep, o); err != nil || !o.JSON {
		return err
	}
	if err := json.NewEncoder(w).Encode(rep); err != nil {
		return fmt.Errorf("write report of %q: %w", b.Name, err)
	}
	return nil
}

// Show writes the table and the plots, and where these are.
func (b Benchmark) Show(w io.Writer, rep Report, o Options) error {
	if err := rep.WriteTable(w, b.Base.Name, b.Subject.Name); err != nil {
		return err
	}
	paths, err := rep.WritePlots(o.Out, b.Base.Name, b.Subject.Name)
	if err != nil {
		return err
	}
	for _, p := range paths {
		fmt.Fprintln(w, "plot:", p)
	}
	return nil
}
