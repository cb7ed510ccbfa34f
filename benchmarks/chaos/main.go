package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"time"
)

// settings are the flags.
type settings struct {
	job, brokers, database, dir string
	kills, repeat, keys         int
	points                      *regexp.Regexp
	seed                        uint64
	rate                        int
	checkpoint                  time.Duration
	json                        bool
}

// partitions of the topics: more than the job has tasks.
const partitions = 4

func flags() (settings, error) {
	var s settings
	var points string
	flag.StringVar(&s.job, "job", "bin/chaos-job", "the job's binary, made by go build -tags faults ./benchmarks/chaos/job: `FILE`")
	flag.StringVar(&s.brokers, "brokers", "127.0.0.1:9092", "a broker, as `HOST:PORT`")
	flag.StringVar(&s.database, "database", "postgres://millrace@127.0.0.1:54329/millrace", "`URL` of the database")
	flag.StringVar(&s.dir, "dir", "", "`DIR` for checkpoints and files; without it a temporary one, which stays when something is wrong")
	flag.IntVar(&s.kills, "kills", 30, "how often the job is killed")
	flag.IntVar(&s.repeat, "repeat", 1, "how often each point is to be hit, as far as -kills allows")
	flag.StringVar(&points, "points", ".", "`REGEXP` of the points to kill at")
	flag.Uint64Var(&s.seed, "seed", 0, "of moments, order and keys; 0 takes a new one")
	flag.IntVar(&s.rate, "rate", 1000, "records a second")
	flag.IntVar(&s.keys, "keys", 200, "keys of each partition")
	flag.DurationVar(&s.checkpoint, "checkpoint-every", 200*time.Millisecond, "the job's checkpoint interval; random kills come up to twice that behind the first output")
	flag.BoolVar(&s.json, "json", false, "print the report as one JSON object on the last line")
	flag.Parse()
	var err error
	if s.points, err = regexp.Compile(points); err != nil {
		return s, fmt.Errorf("-points: %w", err)
	}
	if s.kills < 1 || s.repeat < 1 || s.keys < 1 || s.rate < 1 {
		return s, errors.New("-kills, -repeat, -keys and -rate are at least 1")
	}
	for s.seed == 0 {
		s.seed = rand.Uint64() >> 1
	}
	return s, nil
}

func main() {
	s, err := flags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	if err == nil {
		err = run(ctx, s)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (err error) {
	fmt.Fprintf(os.Stderr, "chaos: %d kills; again with -kills %d -seed %d\n", s.kills, s.kills, s.seed)
	own := s.dir == ""
	if own {
		if s.dir, err = os.MkdirTemp("", "millrace-chaos-"); err != nil {
			return err
		}
	}
	c, err := newCampaign(ctx, s)
	if err != nil {
		return err
	}
	r, err := c.run(ctx)
	if err == nil {
		err = r.publish(os.Stdout, s.json)
	}
	if err != nil {
		return fmt.Errorf("seed %d: %w; topics %s and %s, table %s and directory %s are left as they are", s.seed, err, c.in, c.out, c.table, s.dir)
	}
	err = c.tidy(ctx)
	if own {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
