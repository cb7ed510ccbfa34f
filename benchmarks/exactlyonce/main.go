// Command exactlyonce measures what exactly-once output costs on a real broker: how long a record takes from the moment it was due to a
// reader of committed records, and how many records a second are copied, with transactions and without. Start the broker with make kafka.
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
	"strings"

	"github.com/millrace-io/millrace/benchmarks/harness"
)

const (
	rounds        = "5"
	windowSeconds = 60
)

func main() {
	harness.ServePacer()
	var o harness.Options
	o.Register(flag.CommandLine, windowSeconds)
	c := &course{}
	brokers := flag.String("brokers", "127.0.0.1:9092", "broker addresses, separated by commas")
	flag.IntVar(&c.partitions, "partitions", 2, "partitions of each topic, and tasks of the job")
	flag.Int64Var(&c.rate, "rate", 10_000, "records a second while latency is measured")
	flag.Int64Var(&c.records, "records", 0, "records copied while throughput is measured; 0: 100,000 for each of -seconds, at most 2,000,000")
	flag.StringVar(&c.stateDir, "state-dir", "", "directory below which the jobs keep their checkpoints; default: the system's for temporary files")
	n := flag.Lookup("rounds")
	n.DefValue = rounds
	n.Usage = "interleaved rounds of three windows of -seconds and two copies; the default ends within 20 minutes, -rounds 5 -seconds 5 within 3"
	err := n.Value.Set(rounds)
	flag.Parse()
	c.brokers = strings.Split(*brokers, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	if err == nil {
		err = run(ctx, c, o)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c *course, o harness.Options) (err error) {
	if o.Rounds < 1 || !(o.Seconds > 0 && o.Seconds <= 600) || c.partitions < 1 || c.rate < 1 || c.records < 0 {
		return fmt.Errorf("-rounds %d, -seconds %g, -partitions %d, -rate %d, -records %d: want at least 1, 0 to 600, 1, 1 and 0",
			o.Rounds, o.Seconds, c.partitions, c.rate, c.records)
	}
	c.window = o.Window()
	if c.records == 0 {
		c.records = min(int64(100_000*max(o.Seconds, 1)), recordsMax)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	var all []round
	err = o.Profiled("exactlyonce", func() (err error) {
		if err = c.prepare(ctx); err == nil {
			all, err = c.measure(ctx, o.Rounds, os.Stderr)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("exactlyonce: %w", err)
	}
	return publish(os.Stdout, newReport(o, c, all), o.JSON)
}

// publish writes the table and, as the last line, the JSON.
func publish(w io.Writer, r report, asJSON bool) error {
	if err := r.writeTable(w); err != nil || !asJSON {
		return err
	}
	return json.NewEncoder(w).Encode(r)
}
