package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"github.com/millrace-io/millrace"
)

// run starts the job, shows it, and waits for its end.
func (p *program) run(ctx context.Context, args []string) (err error) {
	job, inv, err := p.prepare("run", args)
	if err != nil || job == nil {
		return err
	}
	o := inv.options
	stop, err := profile(o.cpuProfile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	s := p.screen(o)
	o.stdout.to = s.printed()
	starting := ctx
	if o.stopSavepoint != "" {
		starting = context.WithoutCancel(ctx) // an interrupt is more than a stop
	}
	c := o.config(o.logger(s.log()))
	started := func() bool { return true }
	if o.workers > 0 {
		crew, err := inv.muster(starting, s.log())
		if err != nil {
			return err
		}
		defer crew.close()
		c.Cluster = crew.k
		missing := time.AfterFunc(saidAfter, func() { fmt.Fprintf(s.log(), "%s: waits for %d workers\n", o.name, o.workers) })
		started = missing.Stop
	}
	q, err := job.Start(starting, c)
	started()
	if err != nil {
		return err
	}
	saved := o.stopsWithSavepoint(ctx, q, s)
	watch(ctx, q, o, s)
	return errors.Join(q.Err(), saved())
}

// profile starts the CPU profile that --cpuprofile asks for.
func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, usagef("--cpuprofile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// logger prints what the engine has to say; --quiet leaves warnings.
func (o *Options) logger(w io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if o.quiet {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// watch shows the query until it has ended: at once when the first rows have come, then at the screen's pace.
func watch(ctx context.Context, q *millrace.Query, o *Options, s screen) {
	g := newGauge(q, o)
	if len(o.views) == 0 {
		s.draw(g.read())
	}
	filled := o.filled(q.Done())
	interrupted := ctx.Done()
	tick := time.NewTicker(s.every())
	defer tick.Stop()
	for {
		select {
		case <-filled:
			filled = nil
			s.draw(g.read())
			tick.Reset(s.every())
		case <-tick.C:
			s.draw(g.read())
		case <-interrupted:
			interrupted = nil
			s.say(o.name + ": stopping after a last epoch; interrupt again to exit at once")
		case <-q.Done():
			s.draw(g.read())
			s.say(o.epitaph(q, g))
			return
		}
	}
}

// filled is closed when the first rows of any view have come.
func (o *Options) filled(done <-chan struct{}) <-chan struct{} {
	first := make(chan struct{})
	if o.quiet || len(o.views) == 0 {
		return nil
	}
	go func() { // ends with the query at the latest
		select {
		case <-o.views[0].filled():
			close(first)
		case <-done:
		}
	}()
	return first
}

// epitaph says how the job ended and what the next run will do.
func (o *Options) epitaph(q *millrace.Query, g *gauge) string {
	ran := time.Since(g.begun).Round(time.Millisecond)
	at := q.Progress()
	switch {
	case at.Status == millrace.Failed:
		return fmt.Sprintf("%s: failed after %v", o.name, ran)
	case at.Status == millrace.Finished && !at.Ended:
		return fmt.Sprintf("%s: finished after %v at batch %d: all that was there is done; the next run goes on from %s", o.name, ran, at.Batch, o.stateDir)
	case at.Status == millrace.Finished:
		return fmt.Sprintf("%s: finished after %v: the input has ended", o.name, ran)
	case o.stateDir == "" || millrace.Guarantee(o.guarantee) == millrace.AtMostOnce:
		return fmt.Sprintf("%s: stopped after %v; the next run begins anew", o.name, ran)
	}
	return fmt.Sprintf("%s: stopped after %v at epoch %d; the next run goes on from %s", o.name, ran, at.Epoch, o.stateDir)
}
