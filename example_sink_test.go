package millrace_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks/filesink"
	"github.com/millrace-io/millrace/sources"
)

// outFiles prints the files of a directory that readers see.
func outFiles(dir string) {
	found, err := os.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	for _, f := range found {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			panic(err)
		}
		fmt.Printf("*%s\n%s", filepath.Ext(f.Name()), text)
	}
}

// A file appears when the batch is committed that its records belong to, and never changes.
func ExampleStream_To_textFiles() {
	dir, remove := inFiles()
	defer remove()
	job := millrace.NewJob("text")
	job.From("words", sources.Slice("to", "be", "or")).To("out", filesink.Text(filesink.Config{Dir: dir}))
	inBatchesOfTwo(job)
	outFiles(dir)
	// Output:
	// *.txt
	// to
	// be
	// *.txt
	// or
}

func ExampleStream_To_jsonFiles() {
	dir, remove := inFiles()
	defer remove()
	job := millrace.NewJob("json")
	job.From("sales", sources.Slice(sale{"north", 250}, sale{"south", 100})).To("out", filesink.JSON[sale](filesink.Config{Dir: dir}))
	toEnd(job)
	outFiles(dir)
	// Output:
	// *.jsonl
	// {"Shop":"north","Cents":250}
	// {"Shop":"south","Cents":100}
}

// Columns picks and orders the columns; without it they are the fields.
func ExampleStream_To_csvFiles() {
	dir, remove := inFiles()
	defer remove()
	cfg := filesink.CSVConfig{Config: filesink.Config{Dir: dir}, Columns: []string{"cents", "shop"}}
	job := millrace.NewJob("csv")
	job.From("sales", sources.Slice(sale{"north", 250}, sale{"south, east", 100})).To("out", filesink.CSV[sale](cfg))
	toEnd(job)
	outFiles(dir)
	// Output:
	// *.csv
	// cents,shop
	// 250,north
	// 100,"south, east"
}
