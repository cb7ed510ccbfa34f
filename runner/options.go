package runner

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

// Options are the parsed flags every job understands, and what a Build needs to honour them: it makes sources with From,
// FromEach and Generate, and shows results with Top, Latest, Newest and Changed.
type Options struct {
	name            string
	stdin           io.Reader
	stdout          printer
	stateDir        string
	fromSavepoint   string
	stopSavepoint   string
	state           backend
	cacheMB         int64
	checkpointEvery time.Duration
	commitEvery     time.Duration
	guarantee       guarantee
	retain          int
	reserveMB       int64
	trigger         trigger
	batchMax        int64
	parallelism     int
	rate            int64
	rateGiven       bool
	records         int64
	deadLetters     string
	quiet           bool
	cpuProfile      string
	workers         int
	link            link

	sources map[string]bool // ids
	views   []view
}

const (
	rateMax    = 1_000_000_000
	workersMax = 1000
)

// validate names what is wrong with the values; the engine checks what it is told once more.
func (o *Options) validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(o.rate >= 0 && o.rate <= rateMax, "--rate is %d, want 0 (unlimited) to %d", o.rate, rateMax)
	want(o.records >= 0, "--records is %d, want 0 (no end) or more", o.records)
	want(o.cacheMB >= 1, "--cache-mb is %d, want at least 1", o.cacheMB)
	want(o.parallelism >= 0, "--parallelism is %d, want 0 (number of processors) or more", o.parallelism)
	want(o.checkpointEvery >= 10*time.Millisecond, "--checkpoint-interval is %v, want at least 10ms", o.checkpointEvery)
	want(o.commitEvery == 0 || o.commitEvery >= 10*time.Millisecond && o.commitEvery <= o.checkpointEvery,
		"--commit-every is %v, want 10ms to the checkpoint interval, which is %v", o.commitEvery, o.checkpointEvery)
	want(o.retain >= 1 && o.retain <= checkpoint.RetainMax, "--retain-epochs is %d, want 1 to %d", o.retain, checkpoint.RetainMax)
	want(o.reserveMB >= 0, "--reserve-mb is %d, want 0 (64, or 1024 beside badger) or more", o.reserveMB)
	want(o.stopSavepoint == "" || millrace.Guarantee(o.guarantee) != millrace.AtMostOnce, "--stop-with-savepoint has no meaning with --guarantee at-most-once")
	want(empty(o.stopSavepoint), "--stop-with-savepoint: %s is not empty: name a directory that is not there", o.stopSavepoint)
	want(o.batchMax >= 0, "--max-records-per-batch is %d, want 0 (no limit) or more", o.batchMax)
	want(o.commitEvery == 0 || o.trigger.realTime(), "--commit-every has no meaning with --trigger %v: an epoch ends each batch", millrace.Trigger(o.trigger))
	want(o.workers >= 0 && o.workers <= workersMax, "--workers is %d, want 0 (this process alone) to %d", o.workers, workersMax)
	want(o.workers > 0 || o.link.urls == "", "--nats without workers: give --workers N too")
	want(o.link.urls != "" || o.link == link{plain: o.link.plain}, "--nats-… without a server: give --nats URL too")
	if o.link.urls != "" {
		o.link.environment()
		errs = append(errs, o.link.validate())
	}
	return errors.Join(errs...)
}

// config is what the engine is told.
func (o *Options) config(log *slog.Logger) millrace.Config {
	return millrace.Config{
		StateDir: o.stateDir, FromSavepoint: o.fromSavepoint, State: millrace.StateBackend(o.state), CacheBytes: o.cacheMB << 20,
		Guarantee: millrace.Guarantee(o.guarantee), CheckpointEvery: o.checkpointEvery, CommitEvery: o.commitEvery,
		RetainEpochs: o.retain, FreeBytesMin: o.reserveMB << 20,
		Parallelism: o.parallelism, Logger: log, Trigger: millrace.Trigger(o.trigger), MaxRecordsPerBatch: o.batchMax,
	}
}

// Parallelism is the number of tasks of sources and keyed operators.
func (o *Options) Parallelism() int {
	if o.parallelism == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return o.parallelism
}

// Stdin is the input of the process: what --file - reads.
func (o *Options) Stdin() io.Reader { return o.stdin }

// Stdout takes what a topology prints by itself, such as the tables of sinks.Console: whole lines, which come to standard output,
// on a terminal above the live view. With it the lines of progress that a file or a pipe would get go to standard error.
func (o *Options) Stdout() io.Writer {
	o.stdout.used = true
	return &o.stdout
}

// Bounded says whether --records ends the input.
func (o *Options) Bounded() bool { return o.records > 0 }

// RateOr is --rate, or byDefault when it was not given.
func (o *Options) RateOr(byDefault int64) int64 {
	if o.rateGiven {
		return o.rate
	}
	return byDefault
}

// From is job.From of src, limited as --rate and --records ask.
func (o *Options) From[T any](job *millrace.Job, id string, src sources.Source[T]) millrace.Stream[T] {
	return o.Part(0, 1).From(job, id, src)
}

// FromEach is From of several sources: --rate and --records are shared out evenly, the first ones get the remainder.
func (o *Options) FromEach[T any](job *millrace.Job, ids []string, src func(i int) sources.Source[T]) []millrace.Stream[T] {
	streams := make([]millrace.Stream[T], len(ids))
	for i, id := range ids {
		streams[i] = o.Part(i, len(ids)).From(job, id, src(i))
	}
	return streams
}

func (o *Options) from[T any](job *millrace.Job, id string, src sources.Source[T]) millrace.Stream[T] {
	if o.sources == nil {
		o.sources = map[string]bool{}
	}
	o.sources[id] = true
	return job.From(id, src)
}

// share is the part of total that the i-th of n gets.
func share(total int64, i, n int) int64 {
	part := total / int64(n)
	if int64(i) < total%int64(n) {
		part++
	}
	return part
}

// Generate is a stream of f(0), f(1), f(2), …, perSecond of them a second unless --rate says otherwise; see sources.Generate
// for f. It goes on at that pace after a restart and does not catch up on the time the job was down.
func (o *Options) Generate[T any](job *millrace.Job, id string, perSecond int64, f func(i int64) T) millrace.Stream[T] {
	return o.Part(0, 1).Generate(job, id, perSecond, f)
}

// Rows is a stream of numbered rows, see sources.Rate; perSecond holds unless --rate says otherwise.
func (o *Options) Rows(job *millrace.Job, id string, perSecond int64, partitions int) millrace.Stream[sources.RateRow] {
	return o.RowsEach(job, []string{id}, perSecond, partitions)[0]
}

// RowsEach is Rows of several sources, which share perSecond and --records out evenly.
func (o *Options) RowsEach(job *millrace.Job, ids []string, perSecond int64, partitions int) []millrace.Stream[sources.RateRow] {
	total := o.RateOr(perSecond)
	if total == 0 {
		total = rateMax * int64(len(ids)) // never reached, so as fast as they are taken
	}
	streams := make([]millrace.Stream[sources.RateRow], len(ids))
	for i, id := range ids {
		src := sources.Rate(sources.RateConfig{RowsPerSecond: max(share(total, i, len(ids)), 1), Partitions: partitions})
		if o.records > 0 {
			src = sources.First(src, share(o.records, i, len(ids)))
		}
		streams[i] = o.from(job, id, src)
	}
	return streams
}

// attachDeadLetters sends what cannot be decoded to the file that --dead-letters names.
func (o *Options) attachDeadLetters(job *millrace.Job) {
	if o.deadLetters != "" {
		var sink sinks.Sink[millrace.DeadLetter] = deadLetterFile{o.deadLetters}
		job.DeadLetters("dead-letters", sink)
	}
}
