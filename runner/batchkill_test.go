package runner_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources/filesource"
	"github.com/millrace-io/millrace/state"
)

// batchCall is a line of batch-log's file: what a sink was called with.
type batchCall struct {
	Sink  string
	Batch int64
	Rows  []string // sorted
}

// batchLog is a job that writes down each batch of its input, and of the counts by last digit, whenever it is called with one.
var batchLog = runner.Topology{
	Name: "batch-log",
	Doc:  "writes down each batch, for a test that kills it",
	Flags: func(fs *flag.FlagSet) runner.Build {
		dir, path := fs.String("dir", "", "`DIR` to read"), fs.String("log", "", "`FILE` to append to")
		return func(job *millrace.Job, o *runner.Options) error {
			var in millrace.Stream[string]
			if *dir != "" {
				in = o.From(job, "in", filesource.Text(filesource.Config{Dir: *dir, MaxFilesPerTrigger: 2}))
			} else {
				in = o.Generate(job, "in", 1, func(i int64) string { return strconv.FormatInt(i, 10) })
			}
			in.To("rows", sinks.ForEachBatch(func(_ context.Context, batch int64, rows []sinks.Row[string]) error {
				return noteBatch(*path, "rows", batch, rows, func(v string) string { return v })
			}))
			in.KeyBy(lastDigit).Count("count", state.Forever).To("counts", sinks.ForEachBatch(func(_ context.Context, batch int64, rows []sinks.Row[digitCount]) error {
				return noteBatch(*path, "counts", batch, rows, func(p digitCount) string { return fmt.Sprint(p.Key, " ", p.Value) })
			}), millrace.Update)
			return nil
		}
	},
}

type digitCount = millrace.Pair[string, int64]

func lastDigit(v string) string { return v[len(v)-1:] }

func noteBatch[T any](path, sink string, batch int64, rows []sinks.Row[T], text func(T) string) error {
	call := batchCall{Sink: sink, Batch: batch}
	for _, r := range rows {
		if r.Kind != flow.Insert {
			return fmt.Errorf("row of kind %v", r.Kind)
		}
		call.Rows = append(call.Rows, text(r.Value))
	}
	slices.Sort(call.Rows)
	line, err := json.Marshal(call)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil { // at once: a killed process writes all of it or nothing
		return err
	}
	return f.Close()
}

// batchesOf reads the calls of a log. A batch that was called again must be the same.
func batchesOf(t *testing.T, path string) (sinks map[string]map[int64][]string, again int) {
	t.Helper()
	sinks = map[string]map[int64][]string{"rows": {}, "counts": {}}
	for line := range strings.Lines(read(t, path)) {
		var c batchCall
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if before, ok := sinks[c.Sink][c.Batch]; ok {
			if again++; !slices.Equal(before, c.Rows) {
				t.Fatalf("%s, batch %d: %d rows %v, and %d rows %v when it was done again", c.Sink, c.Batch, len(before), ends(before), len(c.Rows), ends(c.Rows))
			}
		}
		sinks[c.Sink][c.Batch] = c.Rows
	}
	return sinks, again
}

// ends shows what a batch ranges over.
func ends(rows []string) []string {
	if len(rows) < 2 {
		return rows
	}
	return []string{rows[0], rows[len(rows)-1]}
}

// wantBatches demands that the batches have consecutive numbers, each row once, and the last counts right.
func wantBatches(t *testing.T, sinks map[string]map[int64][]string, want []string) {
	t.Helper()
	var got []string
	last, digits := map[string]int64{}, map[string]int64{}
	for n := range int64(len(sinks["rows"])) {
		rows, ok := sinks["rows"][n]
		if !ok {
			t.Fatalf("of %d batches there is no number %d", len(sinks["rows"]), n)
		}
		got = append(got, rows...)
		for _, row := range sinks["counts"][n] {
			k, v, _ := strings.Cut(row, " ")
			last[k], _ = strconv.ParseInt(v, 10, 64)
		}
	}
	for _, v := range want {
		digits[lastDigit(v)]++
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || fmt.Sprint(last) != fmt.Sprint(digits) {
		t.Fatalf("%d rows in %d batches, want %d, each once; counts %v, want %v", len(got), len(sinks["rows"]), len(want), last, digits)
	}
}

// killed starts the command and kills it after a while; it says whether it was done before.
func killed(t *testing.T, c *exec.Cmd, after time.Duration) (done bool, err error) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(after, func() { _ = c.Process.Kill() })
	err = c.Wait()
	return kill.Stop(), err
}

// inputOf is the input of a killed job: the numbers of a generator, or the lines of files that appear between its runs.
type inputOf struct {
	dir   string
	files int
	lines []string
}

func (in *inputOf) appear(t *testing.T, files int) {
	t.Helper()
	for range files {
		var text strings.Builder
		for line := range 200 {
			in.lines = append(in.lines, fmt.Sprintf("%d:%d", in.files, line))
			fmt.Fprintln(&text, in.lines[len(in.lines)-1])
		}
		if err := os.WriteFile(filepath.Join(in.dir, fmt.Sprintf("f%03d", in.files)), []byte(text.String()), 0o600); err != nil { // nobody reads now
			t.Fatal(err)
		}
		in.files++
	}
}

// A job in batches is killed with -9 at random moments and started again: each batch that is done again has the same number and the same
// input, and at the end every record was in one batch and all is counted.
func TestKilledInBatches(t *testing.T) {
	const records = 9000
	generated := []string{"--records", strconv.Itoa(records), "--max-records-per-batch", "200"}
	for name, args := range map[string][]string{
		"micro-batch, generated":     append([]string{"--trigger", "micro-batch"}, generated...),
		"available-now, generated":   append([]string{"--trigger", "available-now"}, generated...),
		"available-now, a directory": {"--trigger", "available-now"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			in := &inputOf{dir: filepath.Join(dir, "in")}
			log := filepath.Join(dir, "log")
			args := append([]string{"run", "batch-log", "--quiet", "--log", log, "--state-dir", filepath.Join(dir, "state")}, args...)
			between := func() {}
			if strings.HasSuffix(name, "directory") {
				args = append(args, "--dir", in.dir)
				if err := os.Mkdir(in.dir, 0o755); err != nil {
					t.Fatal(err)
				}
				in.appear(t, 30)
				between = func() { in.appear(t, 2) }
			} else {
				for i := range records {
					in.lines = append(in.lines, strconv.Itoa(i))
				}
			}
			kills := killAtRandom(t, args, between)
			batches, again := batchesOf(t, log)
			wantBatches(t, batches, in.lines)
			t.Logf("%d kills, %d batches, %d calls again", kills, len(batches["rows"]), again)
		})
	}
}

// killAtRandom starts the command eight times and kills it, then lets it finish.
func killAtRandom(t *testing.T, args []string, between func()) (kills int) {
	t.Helper()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 8 {
		c, text := self(t, append(args, "--rate", "10000")...)
		done, err := killed(t, c, time.Duration(50+random.IntN(300))*time.Millisecond)
		if done && err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if !done {
			kills++
		}
		between()
	}
	c, text := self(t, append(args, "--rate", "0")...)
	if err := c.Run(); err != nil {
		t.Fatalf("seed %d: the last run: %v\n%s", seed, err, text)
	}
	t.Logf("seed %d", seed)
	return kills
}
