package topologies

import (
	"flag"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sinks/postgressink"
	"github.com/millrace-io/millrace/sources/filesource"
)

var wordCountPostgres = runner.Topology{
	Name: "word-count-postgres",
	Doc:  "S13: counts the words of text files; each batch replaces a PostgreSQL table by the counts, together with its number, once",
	Flags: func(fs *flag.FlagSet) runner.Build {
		files, db := filesource.Config{}, runner.RegisterPostgres(fs)
		fs.StringVar(&files.Dir, "dir", "", "count the words of the files that appear in `DIR` by rename; without it those of generated text")
		fs.IntVar(&files.MaxFilesPerTrigger, "max-files", 0, "the most `FILES` in a batch of a micro-batch trigger, 0 for all that are there")
		fs.BoolVar(&files.Once, "until-end", false, "end with the files that were there at the start")
		name := fs.String("batches", "word-count-postgres", "by what `NAME` the numbers of the batches are known; a job that is started anew needs another")
		return func(job *millrace.Job, o *runner.Options) error {
			var lines millrace.Stream[string]
			if files.Dir != "" {
				lines = o.From(job, "files", filesource.Text(files))
			} else {
				lines = o.Generate(job, "text", tableLinesPerSecond, Text{Words: tableWords}.Line)
			}
			counts := WordCount(lines)
			counts.To("view", o.Top[string]("word", "count", itself[string]), millrace.Update)
			if !db.Given() {
				return db.Unused()
			}
			cfg, err := db.Config()
			counts.To("table", sinks.ForEachBatch(postgressink.Replace[wordRow](cfg, *name)), millrace.Complete)
			return err
		}
	},
}
