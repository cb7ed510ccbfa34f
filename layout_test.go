package millrace_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/millrace-io/millrace"

// all stands for every room below the ones that hold it.
const all = "*"

// layers lists, for each room, the only rooms of Millrace it may import. A room that is not listed is an error: a new
// one is a decision, and this table is where it is written down. internal/invariants, internal/fault and internal/planted are free to all.
var layers = map[string][]string{
	// L0: words and arithmetic
	"flow":                {},
	"codec":               {},
	"internal/columns":    {}, // what the file source and the file sink share
	"internal/invariants": {},
	"internal/fault":      {}, // named places at which a campaign kills the process; free to all, as invariants
	"internal/planted":    {},
	"internal/delta":      {"flow"},
	"internal/secret":     {},

	// L1: state machines, queues, tables, files
	"mailbox":         {"flow"},
	"barrier":         {"flow"},
	"checkpoint":      {"flow", "internal/delta"},
	"internal/agenda": {},
	"state":           {"flow", "codec", "internal/delta", "internal/agenda"},

	// L2: what a topology is made of
	"operators":      {"flow", "state", "codec", "internal/agenda"},
	"sources":        {"flow", "codec"},
	"sinks":          {"flow", "codec"},
	"internal/plan":  {"flow", "codec"},
	"internal/kafka": {"flow", "codec", "internal/secret"}, // what the two Kafka adapters share; it knows neither contract
	"internal/nats":  {"internal/secret"},                  // the same for JetStream

	// L3: tasks; and adapters, each its room, the words and one third-party library
	"actors":              {"flow", "codec", "mailbox", "barrier", "state", "checkpoint", "operators", "sources", "sinks", "internal/plan", "internal/delta"},
	"mailbox/wire":        {"mailbox", "flow"}, // the protocol of a lane between processes, without a network
	"mailbox/natslane":    {"mailbox", "mailbox/wire", "flow"},
	"cluster":             {"actors", "mailbox", "mailbox/natslane", "flow", "codec"}, // who the workers are, through NATS
	"checkpoint/dirstore": {"checkpoint", "flow"},
	"state/badgerstate":   {"state", "flow"},
	"state/statetest":     {"state", "flow", "codec", "internal/delta"},
	"sources/sourcetest":  {"sources", "flow", "codec"},
	"sinks/sinktest":      {"sinks", "flow", "codec"},
	"sources/kafkasource": {"sources", "flow", "codec", "internal/kafka"},
	"sinks/kafkasink":     {"sinks", "flow", "codec", "internal/kafka"},
	"sources/natssource":  {"sources", "flow", "codec", "internal/nats"},
	"sinks/natssink":      {"sinks", "flow", "codec", "internal/nats"},
	"sources/filesource":  {"sources", "flow", "codec", "internal/columns"},
	"sinks/filesink":      {"sinks", "flow", "codec", "internal/columns"},
	"sinks/postgressink":  {"sinks", "flow", "codec", "internal/secret"},

	"internal/nats/natstest": {}, // a NATS server in the process of a test

	// L4: the public API, with default adapters; L5: what uses it
	".":            {all},
	"internal/rig": {"flow", "actors", "checkpoint"}, // how millracetest and internal/sim get at a job's tasks
	"internal/sim": {all},
	"millracetest": {all},
	"runner":       {all},
	"topologies":   {all},
	"cmd":          {all},
	"benchmarks":   {all},

	// tests of the whole, and nothing else
	"integration": {all},
}

// trees are the rooms whose folders below need no line of their own. Nothing outside of them may import one.
var trees = []string{"runner", "topologies", "cmd", "benchmarks", "integration"}

// testLayers lists what tests of a room may import beside its layers. Every test may import its own room, internal/…,
// and the conformance suites (rooms named …test).
var testLayers = map[string][]string{
	"actors":            {"codec", "checkpoint/dirstore", "state/badgerstate"}, // whole jobs, crashed and restored on real files
	"state/badgerstate": {"codec"},
	"checkpoint":        {"checkpoint/dirstore"},
	"sinks/filesink":    {"sources", "sources/filesource"}, // reads back what was written
}

// homes lists, for each third-party library, the only rooms that may import it. A library that is not listed is an error.
var homes = map[string][]string{
	"github.com/asynkron/protoactor-go":       {"actors"},
	"github.com/IBM/sarama":                   {"sources/kafkasource", "sinks/kafkasink", "internal/kafka", "benchmarks/kafka", "benchmarks/exactlyonce"},
	"github.com/rcrowley/go-metrics":          {"internal/kafka"}, // sarama's registry, to be switched off
	"golang.org/x/time":                       {"sources"},
	"github.com/xdg-go/scram":                 {"sources/kafkasource", "sinks/kafkasink", "internal/kafka"}, // sarama leaves SCRAM to its user
	"github.com/dgraph-io/badger":             {"state/badgerstate"},
	"github.com/cespare/xxhash":               {"codec", "benchmarks"}, // benchmarks: the floor hashes by hand as codec does
	"github.com/HdrHistogram/hdrhistogram-go": {"benchmarks", "runner"},
	"gonum.org/v1/plot":                       {"benchmarks"},
	"golang.org/x/sys":                        {"benchmarks", "checkpoint/dirstore", "state/badgerstate", "runner"},
	"golang.org/x/term":                       {"runner"},
	"github.com/nats-io/nats.go":              {"internal/nats", "sources/natssource", "sinks/natssink", "integration/jetstream", "mailbox/natslane", "cluster", "runner", "benchmarks/remote"},
	"github.com/nats-io/nats-server":          {"internal/nats/natstest", "runner", "benchmarks/remote"}, // for tests; the server of --workers without --nats; a process of its own, whose CPU stands apart
	"github.com/twmb/franz-go":                {"benchmarks/chaos"},                                      // and tests: kfake is their in-process broker; the campaign's checker shares no code with the engine
	"github.com/hamba/avro":                   {},                                                        // tests only: a second opinion on codec's schemas and bytes
	"go.uber.org/goleak":                      {},                                                        // tests only
	"modernc.org/sqlite":                      {},                                                        // tests only: the oracle of windows, joins and dedup
	"github.com/jackc/pgx":                    {"sinks/postgressink", "integration", "benchmarks/chaos"}, // the latter two ask the database themselves
}

// testLibraries may be imported by any test. Tests of the Kafka rooms use sarama through homes, as the rooms do.
var testLibraries = []string{"github.com/twmb/franz-go", "github.com/hamba/avro", "go.uber.org/goleak", "modernc.org/sqlite"}

func TestLayout(t *testing.T) {
	for _, complaint := range layout(t, os.DirFS(".")) {
		t.Error(complaint)
	}
}

// layout walks a tree and says what in it breaks the tables above.
func layout(t *testing.T, tree fs.FS) (complaints []string) {
	t.Helper()
	documented := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := path.Base(name); name != "." && (base == "testdata" || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		if folder := path.Dir(name); !strings.HasSuffix(name, "_test.go") {
			documented[folder] = documented[folder] || file.Doc != nil
		}
		for _, spec := range file.Imports {
			if c := imports(name, strings.Trim(spec.Path.Value, `"`)); c != "" {
				complaints = append(complaints, c)
			}
		}
		if len(file.Imports) == 0 { // else imports has looked the room up
			if _, known := layers[room(path.Dir(name))]; !known {
				complaints = append(complaints, fmt.Sprintf("%s: room %s is not in layout_test.go", name, path.Dir(name)))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, has := range documented {
		if !has {
			complaints = append(complaints, fmt.Sprintf("package in %s has no package comment", folder))
		}
	}
	slices.Sort(complaints)
	return complaints
}

// imports says why a file must not import a package, or "".
func imports(file, pkg string) string {
	folder, test := room(path.Dir(file)), strings.HasSuffix(file, "_test.go")
	allowed, known := layers[folder]
	switch {
	case !known:
		return fmt.Sprintf("%s: room %s is not in layout_test.go", file, folder)
	case pkg == module || strings.HasPrefix(pkg, module+"/"):
		target := room(path.Clean(strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")))
		if mayImport(folder, target, allowed) || test && testMayImport(folder, target) {
			return ""
		}
		return fmt.Sprintf("%s imports %s; %s may import only %v", file, target, folder, allowed)
	case strings.Contains(strings.SplitN(pkg, "/", 2)[0], "."):
		return thirdParty(file, pkg, test)
	}
	return "" // the standard library
}

func mayImport(folder, target string, allowed []string) bool {
	switch {
	case target == "internal/invariants", target == "internal/fault", target == "internal/planted", folder == target && slices.Contains(trees, folder), slices.Contains(allowed, target):
		return true
	case !slices.Contains(allowed, all):
		return false
	}
	return slices.Contains(trees, folder) || !slices.Contains(trees, target)
}

func testMayImport(folder, target string) bool {
	return folder == target || strings.HasPrefix(target, "internal/") || strings.HasSuffix(target, "test") ||
		slices.Contains(testLayers[folder], target)
}

func thirdParty(file, pkg string, test bool) string {
	for library, rooms := range homes {
		if !within(pkg, library) {
			continue
		}
		at := func(home string) bool { return within(path.Dir(file), home) }
		if slices.ContainsFunc(rooms, at) || test && slices.Contains(testLibraries, library) {
			return ""
		}
		return fmt.Sprintf("%s imports %s, whose home is %v", file, pkg, rooms)
	}
	return fmt.Sprintf("%s imports %s, which has no home in layout_test.go", file, pkg)
}

// room is the row of layers that a folder belongs to.
func room(folder string) string {
	for _, tree := range trees {
		if within(folder, tree) {
			return tree
		}
	}
	return folder
}

func within(name, parent string) bool { return name == parent || strings.HasPrefix(name, parent+"/") }

// A checker that finds nothing is worth nothing: each rule is broken once.
func TestLayoutNotices(t *testing.T) {
	const doc = "// Package x is documented.\npackage x\n"
	for _, c := range []struct{ file, text, want string }{
		{"barrier/x.go", doc + `import "github.com/millrace-io/millrace/state"`, "barrier/x.go imports state; barrier may import only [flow]"},
		{"operators/x.go", doc + `import "github.com/millrace-io/millrace"`, "operators/x.go imports .; operators may import only [flow state codec internal/agenda]"},
		{"actors/x.go", doc + `import "github.com/millrace-io/millrace/checkpoint/dirstore"`, "actors/x.go imports checkpoint/dirstore; actors may import only"},
		{"x.go", doc + `import "github.com/millrace-io/millrace/runner"`, "x.go imports runner; . may import only [*]"},
		{"barrier/x_test.go", doc + `import "github.com/millrace-io/millrace/mailbox"`, "barrier/x_test.go imports mailbox; barrier may import only [flow]"},
		{"util/x.go", doc, "util/x.go: room util is not in layout_test.go"},
		{"util/x.go", doc + `import "fmt"`, "util/x.go: room util is not in layout_test.go"},
		{"state/x.go", doc + `import "github.com/dgraph-io/badger/v4"`, "state/x.go imports github.com/dgraph-io/badger/v4, whose home is [state/badgerstate]"},
		{"sources/x.go", doc + `import "github.com/twmb/franz-go/pkg/kfake"`, "sources/x.go imports github.com/twmb/franz-go/pkg/kfake, whose home is [benchmarks/chaos]"},
		{"flow/x.go", doc + `import "github.com/pkg/errors"`, "flow/x.go imports github.com/pkg/errors, which has no home in layout_test.go"},
		{"flow/x.go", "package x\n", "package in flow has no package comment"},
		{"flow/x.go", doc + `import "fmt"`, ""},
		{"state/x.go", doc + `import "github.com/millrace-io/millrace/internal/invariants"`, ""},
		{"state/badgerstate/x.go", doc + `import "github.com/dgraph-io/badger/v4/options"`, ""},
		{"state/x_test.go", doc + `import "github.com/millrace-io/millrace/state/statetest"`, ""},
		{"sources/kafkasource/x_test.go", doc + `import "github.com/twmb/franz-go/pkg/kfake"`, ""},
		{"benchmarks/kafka/x.go", doc + `import "github.com/IBM/sarama"`, ""},
		{"benchmarks/engine/x.go", doc + `import "github.com/millrace-io/millrace/benchmarks/harness"`, ""},
		{"cmd/runner/x.go", doc + `import "github.com/millrace-io/millrace/runner"`, ""},
		{"barrier/testdata/x.go", "package x\n", ""},
	} {
		tree := fstest.MapFS{c.file: &fstest.MapFile{Data: []byte(c.text)}}
		if got := strings.Join(layout(t, tree), "; "); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s:\n got %q\nwant %q", c.file, got, c.want)
		}
	}
}
