package runner_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/topologies"
)

// wrongUses are command lines, the exit code of each and what its one line says.
var wrongUses = []struct {
	args string
	code int
	want string
}{
	{"", 2, "no command: want list, describe, run, worker or help"},
	{"runn", 2, `unknown command "runn"`},
	{"list all", 2, "list takes no arguments"},
	{"run", 2, "the name of a topology comes first: wordcount,"},
	{"run --rate 1 wordcount", 2, "the name of a topology comes first"},
	{"run wordcuont", 2, `no topology "wordcuont": there are wordcount,`},
	{"help wordcuont", 2, `no topology "wordcuont"`},
	{"run wordcount --rat 1", 2, "unknown flag --rat; see: runner help wordcount"},
	{"run wordcount --rate", 2, "flag --rate needs a value"},
	{"run wordcount --rate fast", 2, `invalid value "fast" for flag --rate`},
	{"run wordcount 1", 2, `unexpected argument "1"`},
	{"run wordcount --rate -1", 2, "--rate is -1, want 0 (unlimited) to 1000000000"},
	{"run wordcount --records -1 --cache-mb 0", 2, "--records is -1, want 0 (no end) or more; --cache-mb is 0, want at least 1"},
	{"run wordcount --parallelism -2", 2, "--parallelism is -2"},
	{"run wordcount --state disk", 2, `invalid value "disk" for flag --state: want memory or badger`},
	{"run wordcount --guarantee twice", 2, "want exactly-once, at-least-once or at-most-once"},
	{"run wordcount --checkpoint-interval 1ms", 2, "--checkpoint-interval is 1ms, want at least 10ms"},
	{"run wordcount --commit-every 2s", 2, "--commit-every is 2s, want 10ms to the checkpoint interval, which is 1s"},
	{"run wordcount --retain-epochs 0 --reserve-mb -1", 2, "--retain-epochs is 0, want 1 to 1000; --reserve-mb is -1, want 0"},
	{"run wordcount --words all", 2, `want one of ["zipf" "uniform" "round-robin"]`},
	{"run wordcount --keys 0", 2, "--keys is 0, want at least 1"},
	{"run wordcount --output x", 2, "this one does not: give --records, --file or --until-end"},
	{"run wordcount --topic lines", 2, "--topic and --to need the brokers: give --brokers HOST:PORT"},
	{"run wordcount --nats-stream S", 2, "need the servers: give --nats-url"},
	{"run wordcount --nats-url nats://127.0.0.1:1", 2, "no input stream: give --nats-stream STREAM"},
	{"run wordcount --nats-url nats://127.0.0.1:1 --nats-stream S --file x", 2, "two inputs: give one"},
	{"run wordcount --nats-url nats://127.0.0.1:1 --nats-stream S --from noon", 2, `"noon" is none of earliest, latest, a time`},
	{"run wordcount --nats-url nats://127.0.0.1:1 --nats-stream S", 1, "is the server running?"},
	{"run wordcount --nats-url nats://nats.example.com --nats-stream S", 1, "connections to another machine without TLS are refused"},
	{"run wordcount --brokers h:1 --file x", 2, "two inputs: give one"},
	{"run wordcount --brokers h:1", 2, "no input topic: give --topic TOPIC"},
	{"run rate --partitions 0", 2, "--partitions 0, want at least 1"},
	{"run kafka-copy", 2, "no brokers: give --brokers HOST:PORT; no input topic: give --topic TOPIC; no output topic: give --to TOPIC"},
	{"run kafka-union --brokers h:1 --topic a --to b", 2, "a union of 1 topics: give at least two, as --topic a,b"},
	{"run kafka-repartition --brokers h:1 --topic a --to b --to-tasks 0", 2, "--to-tasks is 0, want 1 to 128"},
	{"run kafka-copy --brokers h:1 --topic a --to b --from noon", 2, `"noon" is none of earliest, latest, a time`},
	{"run kafka-copy --brokers h:1 --topic a --to b --from c/0:1", 2, `topic "c" is not among the input topics "a"`},
	{"run kafka-copy --brokers h:1 --topic a --to b --tls-ca x", 2, "--tls-ca without TLS: give --tls too"},
	{"run kafka-copy --brokers h:1 --topic a --to b --sasl-user me", 2, "give --sasl-mechanism"},
	{"run kafka-copy --brokers h:1 --topic a --to b --sasl-mechanism PLAIN --sasl-user me", 2, "without a password: set the environment variable MILLRACE_SASL_PASSWORD"},
	{"run kafka-copy --brokers h:1 --topic a --to b --delivery-guarantee at-most-once", 2, "want exactly-once or at-least-once"},
	{"run kafka-copy --brokers h:1 --topic a --to b --guarantee at-least-once --delivery-guarantee exactly-once", 2, "needs --guarantee exactly-once"},
	{"run kafka-copy --brokers 127.0.0.1:1 --topic a --to b", 1, "is the broker running?"},
	{"run ad-clicks --kind outer", 2, `want one of ["inner" "left" "right" "full" "semi"]`},
	{"run ad-clicks --brokers h:1 --topic a", 2, `--topic names 1 topics, want 2, in this order: ["shown" "clicked"]`},
	{"run trades-average --mode all", 2, "want update, append or complete"},
	{"run traffic --brokers h:1 --topic a --dir x", 2, "--dir and --brokers are two inputs: give one"},
	{"run traffic --to a", 2, "--topic and --to need the brokers"},
	{"run invoices-postgres --postgres-table t", 2, "--postgres-table and the like need the database: give --postgres URL"},
	{"run invoices-postgres --postgres postgres://u@localhost/d", 2, "no table: give --postgres-table TABLE"},
	{"run invoices-postgres --through all", 2, `want one of ["foreach" "epochs"]`},
	{"run invoices-postgres --through epochs --postgres postgres://u@db.example.org/d?sslmode=disable --postgres-table t", 1, `"db.example.org" would not be encrypted`},
	{"run invoices-postgres --through epochs --postgres postgres://u:secret@localhost/d --postgres-table t", 1, "holds a password: give it by"},
	{"worker", 2, "worker: no server: give --nats URL"},
	{"worker wordcount", 2, `unexpected argument "wordcount"; a worker takes any job`},
	{"worker --token x", 2, "unknown flag --token; see: runner worker --help"},
	{"worker --nats http://h", 2, "--nats, URL 1: it is not nats://HOST:PORT or tls://HOST:PORT"},
	{"worker --nats nats://u:hidden@h:1", 2, "for h:1: it holds a user: use MILLRACE_NATS_TOKEN"},
	{"worker --nats nats://192.0.2.1:4222", 2, "for 192.0.2.1:4222: connections to another machine without TLS are refused: use tls://, or give --nats-allow-plain"},
	{"run wordcount --workers 2 --nats nats://192.0.2.1:4222", 2, "connections to another machine without TLS are refused"},
	{"run wordcount --workers 2 --nats tls://a:1,nats://127.0.0.1:1", 2, "--nats, URL 2: for 127.0.0.1:1: it is nats:// where another URL"},
	{"run wordcount --nats nats://127.0.0.1:1", 2, "--nats without workers: give --workers N too"},
	{"run wordcount --workers 1 --nats-ca x", 2, "--nats-… without a server: give --nats URL too"},
	{"run wordcount --workers -1", 2, "--workers is -1, want 0 (this process alone) to 1000"},
	{"run wordcount --workers 1 --nats nats://127.0.0.1:1", 1, "connect to NATS at nats://127.0.0.1:1: nats: no servers available for connection: is a server running there?"},
	{"run socket-count --port 70000", 2, "--port is 70000, want 1 to 65535"},
	{"run socket-count --port 1 --host 127.0.0.1", 1, "is a server listening there?"},
	{"run traffic --dir /no/such", 1, `operator "reports-files": file source: stat /no/such`},
	{"run wordcount --file /no/such/file", 1, `operator "file": lines: open /no/such/file`},
	{"run wordcount --records 1 --output /no/such/out", 1, `operator "output": sorted file "/no/such/out": its folder must exist`},
	{"run wordcount --records 1 --dead-letters /no/such/dead", 1, `operator "dead-letters": dead letters: open /no/such/dead`},
}

func TestWrongUse(t *testing.T) {
	dir := t.TempDir()
	for _, c := range wrongUses {
		args := strings.Fields(c.args)
		if len(args) > 1 && args[0] == "run" {
			args = append(args, "--state-dir", filepath.Join(dir, "state"))
		}
		if strings.HasSuffix(c.args, " --rate") || strings.HasSuffix(c.args, " 1") {
			args = strings.Fields(c.args)
		}
		r := command(t, args...)
		if r.code != c.code || !strings.Contains(r.stderr, c.want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d and %q; want %d and one line with %q", c.args, r.code, r.stderr, c.code, c.want)
		}
	}
}

// A checkpoint of another input is refused, with what differs and what to do.
func TestCheckpointOfAnotherTopology(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	command(t, "run", "wordcount", "--records", "10", "--rate", "0", "--state-dir", dir).want(t, 0)
	r := command(t, "run", "wordcount", "--file", file(t, "in", "a"), "--state-dir", dir).want(t, 1)
	for _, want := range []string{`operator "text", which the topology does not have`, "empty state directory"} {
		if !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("got %q, want one line with %q", r.stderr, want)
		}
	}
}

func TestHelp(t *testing.T) {
	golden(t, "help.txt", command(t, "help").want(t, 0).stdout)
	golden(t, "list.txt", command(t, "list").want(t, 0).stdout)
	for _, x := range topologies.All() {
		help := command(t, "help", x.Name).want(t, 0).stdout
		golden(t, "help-"+x.Name+".txt", help)
		if got := command(t, "run", x.Name, "-help").want(t, 0).stdout; got != help {
			t.Errorf("run %s -help differs from help %s:\n%s", x.Name, x.Name, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, x := range topologies.All() {
		args := []string{"describe", x.Name, "--parallelism", "2"}
		if !slices.Contains([]string{"wordcount", "rate", "word-count-files", "socket-count", "word-count-postgres"}, x.Name) {
			args = append(args, "--brokers", "localhost:9092", "--topic", "a,b", "--to", "c")
		}
		if strings.HasSuffix(x.Name, "-postgres") {
			args = append(args, "--postgres", "postgres://user@localhost/database", "--postgres-table", "rows")
		}
		golden(t, "describe-"+x.Name+".txt", command(t, args...).want(t, 0).stdout)
	}
}
