package topologies

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sources"
)

// lines attaches the input. Each kind has an id of its own: a checkpoint of one is refused when another is asked for.
func (w *wordCountFlags) lines(job *millrace.Job, o *runner.Options) (lines millrace.Stream[string], err error) {
	if w.text.Words < 1 {
		return lines, fmt.Errorf("--keys is %d, want at least 1", w.text.Words)
	}
	if err := w.kafka.Unused(); err != nil {
		return lines, err
	}
	if err := w.nats.Unused(); err != nil {
		return lines, err
	}
	switch {
	case w.file != "" && w.kafka.Given():
		return lines, errors.New("--file and --brokers are two inputs: give one")
	case w.nats.Given() && (w.file != "" || len(w.kafka.Topics()) > 0):
		return lines, errors.New("--nats-url and --file or --topic are two inputs: give one")
	case w.nats.Given():
		src, err := w.nats.Values(codec.String)
		return o.From[string](job, "nats", src), err
	case w.file == "-":
		return o.From(job, "stdin", sources.Lines(sources.LinesConfig{Path: "-", Input: o.Stdin()})), nil
	case w.file != "":
		return o.From(job, "file", sources.Lines(sources.LinesConfig{Path: w.file})), nil
	case w.kafka.Given():
		src, err := w.kafka.Values(codec.String, w.kafka.Topics()...)
		return o.From[string](job, "kafka", src), err
	}
	return o.Generate(job, "text", linesPerSecond, w.text.Line), nil
}

// toKafka attaches the output topic when there is one: a record for each change, the word as key, the count as text.
func (w *wordCountFlags) toKafka(counts millrace.Table[string, int64], o *runner.Options) error {
	if w.kafka.To() == "" {
		return nil
	}
	cfg, err := w.kafka.SinkConfig(o)
	counts.To("changes", kafkasink.New(cfg, codec.Codec[wordRow](countCodec[string]{})).Key(keyText[string]), millrace.Update)
	return err
}
