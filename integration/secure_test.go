//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	copyRecords    = 1000
	copyPartitions = 3
)

// kafka-copy over each listener that asks who comes or hides what is said: all of each record arrives, in the order of its
// partition.
func TestCopyOverTLS(t *testing.T) {
	copyOver(t, tlsListener, nil, "--tls", "--tls-ca", authority())
}

func TestCopyOverSCRAM(t *testing.T) {
	copyOver(t, saslListener, []string{"MILLRACE_SASL_PASSWORD=" + saslPassword}, "--sasl-mechanism", "SCRAM-SHA-512", "--sasl-user", saslUser)
}

func TestCopyOverSCRAMWithPasswordFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(saslPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	copyOver(t, saslListener, nil, "--sasl-mechanism", "SCRAM-SHA-512", "--sasl-user", saslUser, "--sasl-password-file", file)
}

// Who is refused is told why at once, with an exit code that is not 0, and no record is copied.
func TestCopyRefused(t *testing.T) {
	for name, c := range map[string]struct {
		addr  string
		env   []string
		flags []string
		says  []string
	}{
		"wrong password": {
			saslListener,
			[]string{"MILLRACE_SASL_PASSWORD=wrong"},
			[]string{"--sasl-mechanism", "SCRAM-SHA-512", "--sasl-user", saslUser},
			[]string{saslUser, "SCRAM-SHA-512"},
		},
		"no SASL":         {saslListener, nil, nil, []string{"SASL", saslListener}},
		"no TLS":          {tlsListener, nil, nil, []string{"TLS", tlsListener}},
		"other authority": {tlsListener, nil, []string{"--tls"}, []string{"certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := connect(t)
			in, out := createTopic(t, client, "in", 1), createTopic(t, client, "out", 1)
			if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: in, Value: []byte("secret")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			p := start(t, nil, c.env, copyArgs(t, c.addr, in, out, c.flags)...)
			<-p.ended
			if p.cmd.ProcessState.ExitCode() <= 0 {
				t.Errorf("%v, want an exit code above 0", p.cmd.ProcessState)
			}
			for _, want := range c.says {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, &p.stderr)
				}
			}
			if n := consumeAll(t, client, out, 1, func(*kgo.Record) {}); n != 0 {
				t.Errorf("%d records were copied", n)
			}
		})
	}
}

func copyArgs(t *testing.T, addr, in, out string, flags []string) []string {
	t.Helper()
	return append(append([]string{"run", "kafka-copy", "--quiet", "--until-end", "--state-dir", filepath.Join(t.TempDir(), "state")},
		kafkaFlags(addr, in, out)...), flags...)
}

func copyOver(t *testing.T, addr string, env []string, flags ...string) {
	t.Helper()
	client := connect(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	in, out := createTopic(t, client, "in", copyPartitions), createTopic(t, client, "out", copyPartitions)
	var records []*kgo.Record
	for i := range copyRecords {
		var key []byte // of every other record, always of the same partition
		if i%2 == 0 {
			key = fmt.Appendf(nil, "key %d", i%(7*copyPartitions))
		}
		records = append(records, &kgo.Record{
			Topic: in, Partition: int32(i % copyPartitions), Key: key, Value: fmt.Appendf(nil, "value %d", i),
			Headers:   []kgo.RecordHeader{{Key: "number", Value: fmt.Append(nil, i)}, {Key: "empty", Value: []byte{}}},
			Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
		})
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	start(t, nil, env, copyArgs(t, addr, in, out, flags)...).finish(t)
	if n := consumeAll(t, client, out, copyPartitions, func(*kgo.Record) {}); n != copyRecords {
		t.Fatalf("%d records were copied, want %d", n, copyRecords)
	}
	want, got := sequences(t, in), sequences(t, out)
	for of, all := range want {
		if !slices.Equal(got[of], all) {
			t.Errorf("records of %s differ:\n%s\nwant\n%s", of, text(got[of]), text(all))
		}
	}
}

// sequences reads the records of a copy in the order that a copy keeps: that of a key, and of a partition's records without one.
func sequences(t *testing.T, topic string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	left := copyRecords
	err := consume(t.Context(), topic, func(r *kgo.Record) bool {
		of := string(r.Key)
		if r.Key == nil {
			of = fmt.Sprintf("partition %d", r.Partition)
		}
		all[of] = append(all[of], fmt.Sprintf("%q %q %q %d", r.Key, r.Value, r.Headers, r.Timestamp.UnixMilli()))
		left--
		return left > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
