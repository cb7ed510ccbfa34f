// Command remote measures what it costs that a job's tasks run in two processes: a keyed count on two workers over NATS on loopback against the
// same job in one process, and against a message for each record over the same NATS. It starts all processes itself, a NATS server too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

const (
	windowSeconds = 3
	ratePerSecond = 50_000
	warmUp        = 500 * time.Millisecond // a generator that began late has caught up, and the servers of Go's memory have their size
)

func main() {
	serveChild()
	var o harness.Options
	o.Register(flag.CommandLine, windowSeconds)
	c := &course{warmUp: warmUp}
	flag.Int64Var(&c.rate, "rate", ratePerSecond, "records a second while latency is measured")
	flag.StringVar(&c.profiled, "profile", kindWorker, "whose closed loop -cpuprofile profiles: worker (one of the two), home, job, publisher or counter")
	flag.Lookup("cpuprofile").Usage = "write a processor profile of the process that -profile names, in the last round, to this file"
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, c, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c *course, o harness.Options) (err error) {
	if o.Rounds < 1 || !(o.Seconds >= 0.05 && o.Seconds <= 600) || c.rate < 1 {
		return fmt.Errorf("-rounds %d, -seconds %g, -rate %d: want at least 1, 0.05 to 600 and 1", o.Rounds, o.Seconds, c.rate)
	}
	c.window, c.profile = o.Window(), o.Profile
	if err := c.prepare(ctx); err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	all, err := c.measure(ctx, o.Rounds, os.Stderr)
	if err = errors.Join(err, c.close()); err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	return publish(os.Stdout, newReport(o, c.rate, all), o.JSON)
}

// publish writes the table and, as the last line, the JSON.
func publish(w io.Writer, r report, asJSON bool) error {
	if err := r.writeTable(w); err != nil || !asJSON {
		return err
	}
	return json.NewEncoder(w).Encode(r)
}
