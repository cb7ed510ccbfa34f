// Command job is what the fault campaign kills: it counts the records of a Kafka topic by key and writes each with its count to a
// topic, to files and to a table of PostgreSQL, all exactly once.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sinks/filesink"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sinks/postgressink"
	"github.com/millrace-io/millrace/sources/kafkasource"
	"github.com/millrace-io/millrace/state"
)

// record is what the generator sends.
type record struct {
	Split int32  `json:"split"`
	Seq   int64  `json:"seq"` // in its split
	Key   string `json:"key"`
	Hash  string `json:"hash"`
}

// counted is a record and how many of its key there were up to it.
type counted struct {
	Split int32  `json:"split"`
	Seq   int64  `json:"seq"`
	Key   string `json:"key"`
	Hash  string `json:"hash"`
	Count int64  `json:"count"`
}

type settings struct {
	brokers, in, out, prefix string
	files, database, table   string
	state, run               string
	parallelism              int
	commitEvery, checkpoint  time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.brokers, "brokers", "127.0.0.1:9092", "a broker, as `HOST:PORT`")
	flag.StringVar(&s.in, "in", "", "`TOPIC` to read")
	flag.StringVar(&s.out, "out", "", "`TOPIC` to write")
	flag.StringVar(&s.prefix, "prefix", "chaos", "begins the transactional ids")
	flag.StringVar(&s.files, "files", "", "`DIR` of the files")
	flag.StringVar(&s.database, "database", "", "`URL` of the database")
	flag.StringVar(&s.table, "table", "", "`TABLE` to write")
	flag.StringVar(&s.state, "state", "", "`DIR` of the checkpoints")
	flag.StringVar(&s.run, "run", "", "name of this run, in a header of each record")
	flag.IntVar(&s.parallelism, "parallelism", 2, "tasks of each operator")
	flag.DurationVar(&s.commitEvery, "commit-every", 20*time.Millisecond, "between two epochs")
	flag.DurationVar(&s.checkpoint, "checkpoint-every", 200*time.Millisecond, "between two batches of files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run goes on until ctx ends, then stops behind a last epoch.
func run(ctx context.Context, s settings) error {
	q, err := s.job().Start(ctx, millrace.Config{
		StateDir: s.state, Parallelism: s.parallelism, CommitEvery: s.commitEvery, CheckpointEvery: s.checkpoint,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	return q.Await(context.Background())
}

func (s settings) job() *millrace.Job {
	job := millrace.NewJob("chaos")
	all := job.From("records", kafkasource.New(kafkasource.Config{Brokers: []string{s.brokers}, Topics: []string{s.in}}, codec.JSON[record]())).
		KeyBy(func(r record) string { return r.Key }).
		Process("count", count)
	all.To("topic", kafkasink.New(kafkasink.Config{
		Brokers: []string{s.brokers}, Topic: s.out, Guarantee: kafkasink.ExactlyOnce, TransactionalIDPrefix: s.prefix,
	}, codec.JSON[counted]()).
		Key(func(c counted) []byte { return []byte(c.Key) }).
		Headers(func(counted) []kafkasink.Header { return []kafkasink.Header{{Key: "run", Value: []byte(s.run)}} }))
	all.To("files", filesink.JSON[counted](filesink.Config{Dir: s.files}))
	all.To("table", postgressink.Table[counted](postgressink.Config{URL: s.database, Table: s.table, CreateEpochs: true}))
	return job
}

func count(s *millrace.Setup[string, counted]) millrace.Handler[string, record, counted] {
	n := s.Value[int64]("n", state.Forever)
	return func(c *millrace.Context[string, counted], r record) error {
		before, _ := n.Get()
		n.Set(before + 1)
		c.Emit(counted{r.Split, r.Seq, r.Key, r.Hash, before + 1})
		return nil
	}
}
