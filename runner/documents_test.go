package runner_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Good orders become invoices; what is no order goes to the dead letters, with its offset and why.
func TestJSONToJSON(t *testing.T) {
	k := newKafka(t, "orders", "invoices")
	var records []*kgo.Record
	for _, text := range []string{
		`{"id":7,"customer":"ann","lines":[{"article":"pen","quantity":3,"cents":120},{"article":"ink","quantity":1,"cents":950}]}`,
		`{"id":8,"customer":"bob"`, // offset 1
		`{"id":9,"customer":"cid","lines":[]}`,
		`{"id":"ten","customer":"dan"}`, // offset 3
	} {
		records = append(records, &kgo.Record{Topic: "orders", Partition: 2, Value: []byte(text)})
	}
	if err := k.client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(t.TempDir(), "dead")
	k.run(t, "json-to-json", "--topic", "orders", "--to", "invoices", "--until-end", "--dead-letters", dead)

	var got []string
	for _, r := range k.all(t, "invoices", 2) {
		got = append(got, string(r.Key)+" "+string(r.Value))
	}
	slices.Sort(got)
	want := []string{`7 {"order":7,"customer":"ann","articles":4,"cents":1310}`, `9 {"order":9,"customer":"cid","articles":0,"cents":0}`}
	if !slices.Equal(got, want) {
		t.Errorf("invoices %q, want %q", got, want)
	}
	letters := strings.Split(strings.TrimSpace(read(t, dead)), "\n")
	if len(letters) != 2 {
		t.Fatalf("dead letters %q, want those of offsets 1 and 3", letters)
	}
	for i, want := range []struct{ position, reason string }{{"1", "unexpected end of JSON input"}, {"3", "cannot unmarshal string into Go struct field Order.id"}} {
		var l struct{ Operator, Split, Position, Reason string }
		if err := json.Unmarshal([]byte(letters[i]), &l); err != nil {
			t.Fatal(err)
		}
		if l.Operator != "orders-kafka" || l.Split != "orders/2" || l.Position != want.position || !strings.Contains(l.Reason, want.reason) {
			t.Errorf("dead letter %+v, want %+v of orders/2", l, want)
		}
	}
}

// appear puts a file into a directory by rename.
func appear(t *testing.T, dir, name, text string) {
	t.Helper()
	hidden := filepath.Join(dir, "."+name)
	if err := os.WriteFile(hidden, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// A run counts the files that are there, a second one what has come since, and the number of its batch goes on.
func TestWordCountOfFilesOverRuns(t *testing.T) {
	dir, state, out := t.TempDir(), filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "out")
	once := func(want string) {
		t.Helper()
		r := command(t, "run", "word-count-files", "--dir", dir, "--output", out, "--state-dir", state, "--trigger", "available-now", "--max-files", "2").want(t, 0)
		if got := read(t, out); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if number, counts, _ := strings.Cut(want, "\n"); !strings.Contains(r.stdout, fmt.Sprintf("%s: %d different words\n", number, strings.Count(counts, "\n"))) {
			t.Fatalf("%s was not printed:\n%s", number, r.stdout)
		}
	}
	appear(t, dir, "a.txt", "to be or not\nTo be\n")
	appear(t, dir, "b.txt", "that is")
	appear(t, dir, "c.txt", "the")
	once("batch 1\nbe\t2\nis\t1\nnot\t1\nor\t1\nthat\t1\nthe\t1\nto\t2\n")
	appear(t, dir, "d.txt", "question\n")
	once("batch 2\nbe\t2\nis\t1\nnot\t1\nor\t1\nquestion\t1\nthat\t1\nthe\t1\nto\t2\n")
}

// The console shows the whole table when the server has closed the connection.
func TestSocketCount(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := server.Accept()
		if err == nil {
			_, err = fmt.Fprint(conn, "to be\nor not to be\n")
			conn.Close()
		}
		served <- err
	}()
	_, port, _ := net.SplitHostPort(server.Addr().String())
	r := command(t, "run", "socket-count", "--host", "127.0.0.1", "--port", port, "--until-end", "--state-dir", "").want(t, 0)
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	_, table, found := cutLast(r.stdout, "Batch: ")
	rows := strings.Split(table, "\n")
	slices.Sort(rows)
	for _, want := range []string{"|Key|Value|", "|be |    2|", "|not|    1|", "|or |    1|", "|to |    2|"} {
		if _, ok := slices.BinarySearch(rows, want); !ok || !found {
			t.Errorf("row %q is missing in\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "records/s") || !strings.Contains(r.stderr, "socket-count: finished") {
		t.Errorf("progress belongs to standard error:\n%s\n%s", r.stdout, r.stderr)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
