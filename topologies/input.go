package topologies

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sources/filesource"
)

// input is where JSON documents come from: Kafka, the files of a directory, or else a generator.
type input struct {
	kafka  *runner.Kafka
	topics func() []string
	dir    string
	part   func(*runner.Options) runner.Part
}

func registerInput(fs *flag.FlagSet) *input {
	in := &input{kafka: runner.RegisterKafka(fs), part: func(o *runner.Options) runner.Part { return o.Part(0, 1) }}
	in.topics = in.kafka.Topics
	fs.StringVar(&in.dir, "dir", "", "read the JSON lines of the files that appear in `DIR` by rename; with --until-end, of those that are there")
	return in
}

// each are the inputs of a topology that has several: a topic and a folder of the directory for each, in the order of names.
func (in *input) each(names ...string) ([]*input, error) {
	if n := len(in.kafka.Topics()); in.kafka.Given() && n != len(names) {
		return nil, fmt.Errorf("--topic names %d topics, want %d, in this order: %q", n, len(names), names)
	}
	all := make([]*input, len(names))
	for i, name := range names {
		all[i] = &input{
			kafka: in.kafka, topics: func() []string { return in.kafka.Topics()[i : i+1] },
			part: func(o *runner.Options) runner.Part { return o.Part(i, len(names)) },
		}
		if in.dir != "" {
			all[i].dir = filepath.Join(in.dir, name)
		}
	}
	return all, nil
}

// from attaches the input; perSecond is the pace of f, of all inputs together. Each kind has an id of its own: a checkpoint of one
// is refused when another is asked for.
func (in *input) from[T any](job *millrace.Job, o *runner.Options, id string, perSecond int64, f func(i int64) T) (s millrace.Stream[T], err error) {
	switch {
	case in.dir != "" && in.kafka.Given():
		return s, errors.New("--dir and --brokers are two inputs: give one")
	case in.dir != "":
		return in.part(o).From(job, id+"-files", filesource.JSON[T](filesource.Config{Dir: in.dir, Once: in.kafka.Bounded()})), nil
	case in.kafka.Given():
		src, err := in.kafka.Values(codec.JSON[T](), in.topics()...)
		return in.part(o).From[T](job, id+"-kafka", src), err
	}
	return in.part(o).Generate(job, id, perSecond, f), in.kafka.Unused()
}

// writes ends a stream in the output topic as JSON under a key, if there is one.
func (in *input) writes[T any](o *runner.Options, s millrace.Stream[T], key func(T) string) error {
	if in.kafka.To() == "" {
		return nil
	}
	cfg, err := in.kafka.SinkConfig(o)
	s.To("out", kafkasink.New(cfg, codec.JSON[T]()).Key(func(v T) []byte { return []byte(key(v)) }))
	return err
}

// writesPanes ends panes in the output topic as JSON, if there is one. Rows that replace each other have the same key.
func (in *input) writesPanes[K comparable, V any](o *runner.Options, p millrace.Panes[K, V], m millrace.Mode) error {
	if in.kafka.To() == "" {
		return nil
	}
	cfg, err := in.kafka.SinkConfig(o)
	key := func(p millrace.Pane[K, V]) []byte {
		return fmt.Append(nil, p.Key, " ", p.Start.UTC().Format(clockFormat))
	}
	p.To("out", kafkasink.New(cfg, codec.JSON[millrace.Pane[K, V]]()).Key(key), m)
	return err
}
