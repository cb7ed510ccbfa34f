package millrace_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/filesource"
)

// inFiles makes a directory with a file of each text.
func inFiles(texts ...string) (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	for i, text := range texts {
		hidden := filepath.Join(dir, ".new") // a file appears whole, by a rename
		if err := os.WriteFile(hidden, []byte(text), 0o600); err != nil {
			panic(err)
		}
		if err := os.Rename(hidden, filepath.Join(dir, fmt.Sprint(i))); err != nil {
			panic(err)
		}
	}
	return dir, func() {
		if err := os.RemoveAll(dir); err != nil {
			panic(err)
		}
	}
}

// The lines of all files of a directory. Without Once the job waits for more files.
func ExampleJob_From_text() {
	dir, remove := inFiles("to be\nor not\n", "to be\n")
	defer remove()
	job := millrace.NewJob("text")
	job.From("lines", filesource.Text(filesource.Config{Dir: dir, Once: true})).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// to be
	// or not
	// to be
}

func ExampleJob_From_json() {
	dir, remove := inFiles(`{"shop":"north","cents":250}` + "\n" + `{"shop":"south","cents":100}`)
	defer remove()
	job := millrace.NewJob("json")
	job.From("sales", filesource.JSON[sale](filesource.Config{Dir: dir, Once: true})).To("out", toStdout[sale]())
	toEnd(job)
	// Output:
	// {north 250}
	// {south 100}
}

// The first line of each file names its columns.
func ExampleJob_From_csv() {
	dir, remove := inFiles("shop,cents\nnorth,250\n", "cents,shop\n100,south\n")
	defer remove()
	job := millrace.NewJob("csv")
	job.From("sales", filesource.CSV[sale](filesource.CSVConfig{Config: filesource.Config{Dir: dir, Once: true}})).To("out", toStdout[sale]())
	toEnd(job)
	// Output:
	// {north 250}
	// {south 100}
}

// The lines that a server sends, until it closes the connection.
func ExampleJob_From_socket() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		if conn, err := server.Accept(); err == nil {
			fmt.Fprintln(conn, "to be")
			conn.Close()
		}
	}()
	job := millrace.NewJob("socket")
	job.From("lines", sources.Socket(sources.SocketConfig{Addr: server.Addr().String(), Bounded: true})).To("out", toStdout[string]())
	toEnd(job)
	server.Close()
	// Output:
	// to be
}

// Records made from their numbers: the same after a restart as before it.
func ExampleJob_From_generate() {
	job := millrace.NewJob("generate")
	job.From("sales", sources.Generate(sources.GeneratorConfig{Count: 3}, func(i int64) string { return fmt.Sprint("record ", i) })).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// record 0
	// record 1
	// record 2
}

// The first rows of a source that has no end.
func ExampleJob_From_rate() {
	job := millrace.NewJob("rate")
	job.From("rows", sources.First(sources.Rate(sources.RateConfig{RowsPerSecond: 1000}), 3)).
		Map("value", func(r sources.RateRow) string { return fmt.Sprint("row ", r.Value) }).
		To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// row 0
	// row 1
	// row 2
}

// An iterator as a source, no faster than a thousand records a second.
func ExampleJob_From_iterator() {
	job := millrace.NewJob("iterator")
	job.From("words", sources.Throttle(sources.Seq(slices.Values([]string{"to", "be"})), 1000)).To("out", toStdout[string]())
	toEnd(job)
	// Output:
	// to
	// be
}
