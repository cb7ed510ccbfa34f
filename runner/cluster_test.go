package runner_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/internal/nats/natstest"
	"github.com/millrace-io/millrace/runner"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/topologies"
)

const rightToken = "a-token-of-the-test"

// server is a NATS server that wants a token.
func server(t *testing.T) *natstest.Server {
	t.Helper()
	return natstest.Start(t, func(o *natstest.Options) { o.JetStream, o.Authorization = false, rightToken })
}

// worker starts a worker process, which ends with the test as an interrupt lets it.
func worker(t *testing.T, url string, i int) *crewed {
	t.Helper()
	w := begin(t, []string{runner.NATSTokenEnv + "=" + rightToken}, "worker", "--nats", url, "--name", fmt.Sprintf("w%d", i))
	w.until(t, regexp.MustCompile(`worker w\d is ready for jobs of cluster millrace at 127\.0\.0\.1:\d+\n`))
	t.Cleanup(func() { w.stop(t) })
	return w
}

// stop ends the process as an interrupt lets it.
func (r *crewed) stop(t *testing.T) {
	t.Helper()
	if err := r.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("%v\n%s", err, r.out)
	}
}

// alike are the arguments with which a topology's last reading shows its final result. Views of the latest rows are in order with one task only.
var alike = map[string]string{
	"ad-clicks":         "--parallelism 3",
	"trades-average":    "--parallelism 3",
	"traffic":           "--parallelism 3",
	"trades-live":       "--parallelism 3",
	"rate":              "--parallelism 1",
	"broadcast-join":    "--parallelism 1",
	"students-classes":  "--parallelism 1",
	"invoices-postgres": "--parallelism 1",
	"wordcount":         "--parallelism 3 --output OUT",
	"word-count-files":  "--parallelism 3 --dir IN --trigger once --output OUT",
}

// apart are the topologies whose results are compared elsewhere, or not at all.
var apart = map[string]string{
	"kafka-copy":          "TestWorkersCopyKafka",
	"kafka-repartition":   "TestWorkersCopyKafka",
	"kafka-union":         "TestWorkersCopyKafka",
	"keyed-count":         "TestWorkersCountKafka",
	"count-by-value":      "TestWorkersCountKafka: its generated input has the times of the clock",
	"union-count":         "TestWorkersCountKafka: its generated input has the times of the clock",
	"json-to-json":        "one chain from Kafka to Kafka, as kafka-copy",
	"ttl-state":           "which of its rows are the newest hangs on the clock, in one process too",
	"drop-duplicates":     "which generated records are late at full speed differs from run to run, in one process too",
	"socket-count":        "its input is a connection, not bounded by --records alone",
	"word-count-postgres": "needs a database; but for its sink it is word-count-files",
}

// wall is what differs from run to run: times that were measured, and the clock's.
var wall = regexp.MustCompile(`\d+(\.\d+)? (ns|µs|ms|s)\b|\d{4}-\d\d-\d\dT[0-9:.]+Z| [0-9.]+ ?…| +`)

// finalOf runs a topology to its end and gives the rows that it shows last, and its output.
func finalOf(t *testing.T, name, args, in string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	line := append([]string{"run", name, "--records", "1200", "--rate", "0", "--state-dir", filepath.Join(dir, "state")}, more...)
	for _, a := range strings.Fields(args) {
		line = append(line, strings.NewReplacer("OUT", out, "IN", in).Replace(a))
	}
	r := command(t, line...).want(t, 0)
	_, last, found := strings.Cut(r.stdout+r.stderr, " finished: ")
	if !found {
		t.Fatalf("%s: no last reading in\n%s\n%s", name, r.stdout, r.stderr)
	}
	last, _, _ = strings.Cut(last, "\n")
	_, rows, _ := strings.Cut(last, "; ")
	text, _ := os.ReadFile(out) // of those that have one
	return wall.ReplaceAllString(rows, "") + string(text)
}

// Every topology gives in three processes what it gives in one.
func TestWorkersGiveTheSame(t *testing.T) {
	t.Setenv(runner.NATSTokenEnv, rightToken)
	in := t.TempDir()
	for i, text := range []string{"a b\nc a\n", "b b d\n"} {
		if err := os.WriteFile(filepath.Join(in, fmt.Sprint(i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := server(t)
	worker(t, s.URL, 0)
	worker(t, s.URL, 1)
	for _, x := range topologies.All() {
		args, ok := alike[x.Name]
		if !ok {
			if apart[x.Name] == "" {
				t.Errorf("topology %s has neither arguments to compare it with nor a reason", x.Name)
			}
			continue
		}
		t.Run(x.Name, func(t *testing.T) {
			want := finalOf(t, x.Name, args, in)
			if len(want) < 20 {
				t.Fatalf("the result is %q, want more", want)
			}
			if got := finalOf(t, x.Name, args, in, "--nats", s.URL, "--workers", "2"); got != want {
				t.Errorf("three processes:\n%s\none:\n%s", got, want)
			}
		})
	}
}

// Kafka's ends stay at home, what is between them does not.
func TestWorkersCopyKafka(t *testing.T) {
	t.Setenv(runner.NATSTokenEnv, rightToken)
	s := server(t)
	worker(t, s.URL, 0)
	for job, args := range map[string][]string{
		"kafka-copy":        {"--topic", "a"},
		"kafka-repartition": {"--topic", "a", "--to-tasks", "5", "--by-key"},
		"kafka-union":       {"--topic", "a,b"},
	} {
		t.Run(job, func(t *testing.T) {
			copyAll(t, job, append(args, "--to", "out", "--until-end", "--nats", s.URL, "--workers", "1"))
		})
	}
}

func TestWorkersCountKafka(t *testing.T) {
	t.Setenv(runner.NATSTokenEnv, rightToken)
	s := server(t)
	worker(t, s.URL, 0)
	worker(t, s.URL, 1)
	for job := range counted {
		t.Run(job, func(t *testing.T) { countAll(t, job, "--parallelism", "3", "--nats", s.URL, "--workers", "2") })
	}
}

func TestWrongCredentials(t *testing.T) {
	s := server(t)
	for name, c := range map[string]struct{ key, value, want string }{
		"token": {runner.NATSTokenEnv, "hidden", "is the token in " + runner.NATSTokenEnv + " right?"},
		"none":  {runner.NATSTokenEnv, "", "it wants to know who connects: set " + runner.NATSTokenEnv},
		"user":  {runner.NATSUserEnv, "me", "are the user in " + runner.NATSUserEnv + " and the password in"},
	} {
		for _, line := range []string{"worker", "run wordcount --workers 1 --state-dir="} {
			t.Run(name+", "+line, func(t *testing.T) {
				t.Setenv(c.key, c.value)
				t.Setenv(runner.NATSPasswordEnv, map[bool]string{true: "hidden"}[c.key == runner.NATSUserEnv])
				r := command(t, append(strings.Fields(line), "--nats", s.URL)...).want(t, 1)
				if !strings.Contains(r.stderr, c.want) || strings.Contains(r.stderr, "hidden") {
					t.Fatalf("want %q and no secret in\n%s", c.want, r.stderr)
				}
			})
		}
	}
}

// The permissions that docs/operating.md names are enough, and keep a cluster to its own subjects.
func TestPermissionsOfAPrefix(t *testing.T) {
	t.Setenv(runner.NATSUserEnv, "orders")
	t.Setenv(runner.NATSPasswordEnv, rightToken)
	own := &natsserver.SubjectPermission{Allow: []string{"orders.>", "_INBOX.>"}}
	s := natstest.Start(t, func(o *natstest.Options) {
		o.JetStream = false
		o.Users = []*natsserver.User{{Username: "orders", Password: rightToken, Permissions: &natsserver.Permissions{Publish: own, Subscribe: own}}}
	})
	w := begin(t, nil, "worker", "--nats", s.URL, "--nats-prefix", "orders")
	w.until(t, regexp.MustCompile(`is ready for jobs of cluster orders`))
	t.Cleanup(func() { w.stop(t) })
	const args = "--parallelism 3 --output OUT"
	if got, want := finalOf(t, "wordcount", args, "", "--nats", s.URL, "--nats-prefix", "orders", "--workers", "1"), finalOf(t, "wordcount", args, ""); got != want {
		t.Errorf("with a prefix:\n%s\nalone:\n%s", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout output
	stderr := output{filled: cancel}
	code := runner.Run(ctx, []string{"run", "wordcount", "--nats", s.URL, "--nats-prefix", "other", "--workers", "1", "--state-dir", ""},
		strings.NewReader(""), &stdout, &stderr, topologies.All()...)
	if code != 1 || !strings.Contains(stderr.String(), `Permissions Violation for Subscription to "other.`) {
		t.Errorf("exit code %d, want 1 and the subject that is refused:\n%s", code, stderr.String())
	}
}

// A worker that does not know the topology says so to the run that asks.
func TestWorkerWithoutTheTopology(t *testing.T) {
	t.Setenv(runner.NATSTokenEnv, rightToken)
	s := server(t)
	worker(t, s.URL, 0)
	mine := runner.Topology{Name: "mine", Doc: "known here alone", Flags: func(*flag.FlagSet) runner.Build {
		return func(job *millrace.Job, _ *runner.Options) error {
			job.From("in", sources.Generate(sources.GeneratorConfig{Count: 1}, func(i int64) int { return int(i) })).Rebalance("deal").To("out", sinks.Discard[int]())
			return nil
		}
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var stdout, stderr output
	code := runner.Run(ctx, []string{"run", "mine", "--nats", s.URL, "--workers", "1", "--state-dir", ""}, strings.NewReader(""), &stdout, &stderr, mine)
	if code != 1 || !strings.Contains(stderr.String(), `no topology "mine": there are wordcount`) {
		t.Fatalf("exit code %d, want 1 and what the worker does not know:\n%s", code, stderr.String())
	}
}

// The server may be restarted under a job: its workers come back, and the result is exact.
func TestServerRestarted(t *testing.T) {
	t.Setenv(runner.NATSTokenEnv, rightToken)
	s := server(t)
	worker(t, s.URL, 0)
	const lines = 300_000
	out := filepath.Join(t.TempDir(), "out")
	r := begin(t, nil, "run", "wordcount", "--nats", s.URL, "--workers", "1", "--parallelism", "2", "--records", fmt.Sprint(lines), "--rate", "0",
		"--keys", "3000", "--words", "uniform", "--checkpoint-interval", "100ms", "--state-dir", filepath.Join(t.TempDir(), "state"), "--output", out)
	r.until(t, live)
	s.Stop()
	r.until(t, regexp.MustCompile(`the connection to NATS is lost`))
	s.Again(t)
	r.until(t, regexp.MustCompile(`connected to NATS again`))
	if err := <-r.ended; err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	if got, want := read(t, out), counts(topologies.Text{Words: 3000, Choice: topologies.Uniform}, lines); got != want {
		t.Fatalf("the output differs from the counts: %d and %d bytes\n%s", len(got), len(want), r.out)
	}
}
