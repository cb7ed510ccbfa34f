// Command startup measures what a person feels who starts the runner: the time from exec to the first counts of wordcount, its
// resident memory at 10,000 records/s, and the time from exec to the first counts when a checkpoint with a million keys has to
// be read before. The floor is a process of the same program that only prints the list of topologies.
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

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/topologies"
)

// asRunner makes this program be the runner: without -runner it starts itself.
const asRunner = "MILLRACE_BENCH_AS_RUNNER"

const (
	rounds  = "10"
	seconds = 5
)

func main() {
	if os.Getenv(asRunner) != "" {
		runner.Main(topologies.All()...)
	}
	var o harness.Options
	o.Register(flag.CommandLine, seconds)
	n := flag.Lookup("rounds")
	n.DefValue = rounds
	path := flag.String("runner", "", "measure this `FILE`, made by go build ./cmd/runner; without it this program, which is larger, runs as the runner")
	err := n.Value.Set(rounds)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	if err == nil {
		err = run(ctx, o, *path)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o harness.Options, path string) (err error) {
	if o.Rounds < 1 || !(o.Seconds > 0) {
		return fmt.Errorf("-rounds is %d and -seconds %g, want at least 1 and more than 0", o.Rounds, o.Seconds)
	}
	dir, err := os.MkdirTemp("", "millrace-startup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c := &course{program: program{path: path}, dir: dir, window: o.Window(), keys: restoredKeys}
	if path == "" {
		if c.path, err = os.Executable(); err != nil {
			return err
		}
		c.env = []string{asRunner + "=1"}
	}
	all, err := c.measure(ctx, o.Rounds, os.Stderr)
	if err != nil {
		return fmt.Errorf("startup: %w", err)
	}
	return publish(os.Stdout, newReport(o, c.keys, all), o.JSON)
}

// publish writes the table and, as the last line, the JSON.
func publish(w io.Writer, r report, asJSON bool) error {
	if err := r.writeTable(w); err != nil {
		return err
	}
	if !asJSON {
		return nil
	}
	return json.NewEncoder(w).Encode(r)
}
