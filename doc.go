// Package millrace is stateful stream processing for Go: typed topologies of sources, operators and sinks that run
// continuously, keep state per key, and survive crashes with every record counted once.
//
// A topology is a function from streams to streams:
//
//	func WordCount(lines millrace.Stream[string]) millrace.Table[string, int64] {
//		return lines.
//			FlatMap("split", split).
//			Map("lower", strings.ToLower).
//			KeyBy(itself).
//			Count("count", state.Forever)
//	}
//
// A job gives it a source and a sink, and Start runs it:
//
//	job := millrace.NewJob("wordcount")
//	lines := job.From("lines", sources.Lines(sources.LinesConfig{Path: "book.txt"}))
//	WordCount(lines).To("counts", sink, millrace.Update)
//	query, err := job.Start(ctx, millrace.Config{StateDir: "data/wordcount"})
//	…
//	err = query.Await(ctx)
//
// Every operator has an id: it names the operator's state in checkpoints, its tuning in Config and its place in errors.
// Everything that is wrong with a topology is reported by Start, together, before any record flows.
package millrace
