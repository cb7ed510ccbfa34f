package topologies

import (
	"errors"
	"flag"
	"strconv"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/runner/sortedfile"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/state"
)

// WordCount counts the words of lines, without regard to case.
func WordCount(lines millrace.Stream[string]) millrace.Table[string, int64] {
	return lines.FlatMap("split", SplitWords).Map("lower", Lower).KeyBy(itself[string]).Count("count", state.Forever)
}

func itself[T any](v T) T { return v }

var wordCount = runner.Topology{
	Name: "wordcount",
	Doc:  "counts the words of generated text, a file, Kafka or NATS JetStream, live (needs nothing installed)",
	Flags: func(fs *flag.FlagSet) runner.Build {
		w := wordCountFlags{kafka: runner.RegisterKafka(fs)}
		w.nats = runner.RegisterNATS(fs, w.kafka)
		fs.StringVar(&w.file, "file", "", "count the lines of `PATH`, - for standard input")
		fs.StringVar(&w.output, "output", "", "when the input has ended, write word<TAB>count to `PATH`, sorted by word")
		fs.Int64Var(&w.text.Words, "keys", 5000, "size of the generated text's vocabulary, `WORDS`")
		fs.TextVar(&w.text.Choice, "words", Zipf, "how generated words are chosen: zipf, uniform or round-robin")
		return w.build
	},
}

type wordCountFlags struct {
	file, output string
	text         Text
	kafka        *runner.Kafka
	nats         *runner.NATS
}

// linesPerSecond is the pace of the generated text unless --rate says otherwise.
const linesPerSecond = 10_000

func (w *wordCountFlags) build(job *millrace.Job, o *runner.Options) error {
	lines, err := w.lines(job, o)
	if err != nil {
		return err
	}
	counts := WordCount(lines)
	counts.To("view", o.Top[string]("word", "count", itself[string]), millrace.Update)
	if err := w.toKafka(counts, o); err != nil {
		return err
	}
	final := sinks.Discard[wordRow]()
	if w.output != "" {
		server := w.kafka.Given() || w.nats.Given()
		if server && !w.kafka.Bounded() && !o.Bounded() || !server && w.file == "" && !o.Bounded() {
			return errors.New("--output is written when the input has ended, and this one does not: give --records, --file or --until-end")
		}
		final = sortedfile.New(sortedfile.Config{Path: w.output}, sortedfile.RowFunc[wordRow](appendRow))
	}
	counts.Final("final", newWordRow).To("output", final)
	return nil
}

type wordRow = millrace.Pair[string, int64]

func newWordRow(word string, n int64) wordRow { return wordRow{Key: word, Value: n} }

func appendRow(dst []byte, r wordRow) ([]byte, int) {
	dst = append(dst, r.Key...)
	return strconv.AppendInt(append(dst, '\t'), r.Value, 10), len(r.Key)
}
