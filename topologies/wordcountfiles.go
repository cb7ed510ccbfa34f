package topologies

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources/filesource"
)

var wordCountFiles = runner.Topology{
	Name: "word-count-files",
	Doc:  "S16: counts the words of text files that appear in a directory; a function gets the whole table after each batch",
	Flags: func(fs *flag.FlagSet) runner.Build {
		files, table := filesource.Config{}, wordTable{}
		fs.StringVar(&files.Dir, "dir", "", "count the words of the files that appear in `DIR` by rename; without it those of generated text")
		fs.IntVar(&files.MaxFilesPerTrigger, "max-files", 0, "the most `FILES` in a batch of a micro-batch trigger, 0 for all that are there")
		fs.BoolVar(&files.Once, "until-end", false, "end with the files that were there at the start")
		fs.StringVar(&table.path, "output", "", "after each batch replace `FILE` by its number and the counts, sorted by word")
		return func(job *millrace.Job, o *runner.Options) error {
			var lines millrace.Stream[string]
			if files.Dir != "" {
				lines = o.From(job, "files", filesource.Text(files))
			} else {
				lines = o.Generate(job, "text", tableLinesPerSecond, Text{Words: tableWords}.Line)
			}
			table.out = o.Stdout()
			counts := WordCount(lines)
			counts.To("view", o.Top[string]("word", "count", itself[string]), millrace.Update)
			counts.To("tables", sinks.ForEachBatch(table.write), millrace.Complete)
			return nil
		}
	},
}

// tableLinesPerSecond is the pace of generated text whose counts are shown as whole tables, tableWords its vocabulary.
const tableLinesPerSecond, tableWords = 10, 15

// wordTable is what becomes of the counts of each batch.
type wordTable struct {
	path string
	out  io.Writer
}

// write is called with the whole table after each batch that changed it. A batch that is done again after a crash has its number again
// and replaces what it wrote.
func (t *wordTable) write(_ context.Context, batch int64, rows []sinks.Row[wordRow]) error {
	rows = slices.DeleteFunc(rows, func(r sinks.Row[wordRow]) bool { return r.Kind == flow.Delete }) // the table has become empty
	fmt.Fprintf(t.out, "batch %d: %d different words\n", batch, len(rows))
	if t.path == "" {
		return nil
	}
	slices.SortFunc(rows, func(a, b sinks.Row[wordRow]) int { return cmp.Compare(a.Value.Key, b.Value.Key) })
	text := fmt.Appendf(nil, "batch %d\n", batch)
	for _, r := range rows {
		text, _ = appendRow(text, r.Value)
		text = append(text, '\n')
	}
	return replaceFile(t.path, text)
}
