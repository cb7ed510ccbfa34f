//go:build integration

package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// said is all that a run has let out: what it printed, and what can be seen of its process.
type said struct {
	mu  sync.Mutex
	all map[string][]byte
}

func (s *said) add(where string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[where] = append(append(s.all[where], b...), '\n')
}

// files adds all files below a directory.
func (s *said) files(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		s.add(path, append([]byte(path+"\n"), b...))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// finds says where a secret is, plain or encoded as it may be in a log or on a wire.
func (s *said) finds(secret string) (places []string) {
	for where, b := range s.all {
		for form, text := range map[string]string{
			"as it is": secret, "in hex": hex.EncodeToString([]byte(secret)), "in base64": base64.RawStdEncoding.EncodeToString([]byte(secret)),
			"in base64, as SASL PLAIN has it": base64.RawStdEncoding.EncodeToString([]byte("\x00" + saslUser + "\x00" + secret)), "quoted": strings.Trim(fmt.Sprintf("%q", secret), `"`),
			"as bytes": strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"),
		} {
			if bytes.Contains(b, []byte(text)) {
				places = append(places, where+", "+form)
			}
		}
	}
	return places
}

// run runs the runner until it ends or stop says so, and keeps what it lets out.
func (s *said) run(t *testing.T, name string, env []string, signal os.Signal, args ...string) {
	t.Helper()
	epochs := make(chan struct{}, 1)
	p := start(t, func(line string) {
		s.add(name+" stdout", []byte(line))
		select {
		case epochs <- struct{}{}:
		default:
		}
	}, env, args...)
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid)); err == nil {
		s.add(name+" command line", b)
	}
	if signal != nil {
		for range 3 { // lines of the live view: it runs, and epochs are recorded
			select {
			case <-epochs:
			case <-p.ended:
			case <-time.After(30 * time.Second):
				t.Error("nothing was printed")
			}
		}
		_ = p.cmd.Process.Signal(signal) // when it has ended, the checks say what is missing
	}
	<-p.ended
	s.add(name+" stderr", p.stderr.Bytes())
}

// Passwords that a job is given are in nothing that it leaves behind: over a whole run that is interrupted, dumps its goroutines, is refused by
// the broker and goes on, they are in no output, no log, no error, no file, no record and no command line.
func TestSecretsAreNowhere(t *testing.T) {
	const wrong = "canary-of-a-wrong-password"
	client := connect(t)
	in, out := createTopic(t, client, "in", 1), createTopic(t, client, "out", 1)
	for i := range 1000 {
		client.Produce(t.Context(), &kgo.Record{Topic: in, Value: fmt.Appendf(nil, "some words %d", i)}, nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	args := append([]string{"run", "kafka-copy", "--state-dir", filepath.Join(state, "state"), "--dead-letters", filepath.Join(state, "letters"), "--rate", "50"},
		kafkaFlags(saslListener, in, out, "--sasl-mechanism", "SCRAM-SHA-512", "--sasl-user", saslUser)...)
	good, bad := []string{"MILLRACE_SASL_PASSWORD=" + saslPassword}, []string{"MILLRACE_SASL_PASSWORD=" + wrong}
	s := &said{all: map[string][]byte{}}
	s.run(t, "refused", bad, nil, args...)
	s.run(t, "dumped", good, syscall.SIGQUIT, args...)
	s.run(t, "killed", good, os.Kill, args...)
	s.run(t, "interrupted", good, os.Interrupt, args...) // and leaves no transaction open
	s.run(t, "described", good, nil, append([]string{"describe", "kafka-copy"}, kafkaFlags(saslListener, in, out)...)...)
	s.files(t, state)
	consumeAll(t, client, out, 1, func(r *kgo.Record) { s.add("output", append(append([]byte{}, r.Key...), r.Value...)) })
	for _, where := range []string{"interrupted stdout", "refused stderr", "dumped stderr"} {
		if len(s.all[where]) == 0 {
			t.Errorf("nothing is in %s: the test is of nothing", where)
		}
	}
	if !bytes.Contains(s.all["dumped stderr"], []byte("goroutine ")) {
		t.Error("no goroutines were dumped")
	}
	for _, secret := range []string{saslPassword, wrong} {
		for _, place := range s.finds(secret) {
			t.Errorf("the secret is in %s", place)
		}
		control := &said{all: map[string][]byte{"control": fmt.Appendf(nil, "a log line with %d in it", []byte(secret))}}
		if len(control.finds(secret)) == 0 {
			t.Error("a secret that is there is not found")
		}
	}
}
