//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newSeed() uint64 { return 1 + rand.Uint64N(1<<62) }

// process is a runner at work.
type process struct {
	cmd    *exec.Cmd
	begun  time.Time
	ended  chan struct{} // closed when it is gone; err and stderr may be read then
	err    error
	stderr bytes.Buffer
}

// start runs the runner with arguments; env is added to the environment. Each line of its standard output goes to line, which
// may be nil, on a goroutine of its own. The process is killed when the test ends before it does.
func start(t *testing.T, line func(string), env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), runnerPath(t), args...), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), env...), &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			if line != nil {
				line(s.Text())
			}
		}
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() { <-p.ended })
	return p
}

// kill kills it with -9 and returns when it is gone. It must not have ended before.
func (p *process) kill(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Kill() // when it has ended already, its exit tells
	<-p.ended
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("the runner ended by itself before it was killed, %v\n%s", p.cmd.ProcessState, &p.stderr)
	}
}

// interrupt is Ctrl-C: it has to end well after a last epoch.
func (p *process) interrupt(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("interrupt: %v", err) // finish says what became of it
	}
	p.finish(t)
}

// finish waits for an end with exit code 0.
func (p *process) finish(t *testing.T) {
	t.Helper()
	<-p.ended
	if p.err != nil {
		t.Fatalf("the runner: %v\n%s", p.err, &p.stderr)
	}
}

// memory is what the kernel says of the process' resident memory now, in bytes: the peak so far, and the parts of the present.
type memory struct{ peak, anonymous, file int64 }

// memory is not that of the rusage of an ended child: there the peak of the parent counts too, from between fork and exec.
func (p *process) memory() (m memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "kB" {
			continue
		}
		kb, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return m, fmt.Errorf("%q: %w", line, err)
		}
		switch f[0] {
		case "VmHWM:":
			m.peak = kb << 10
		case "RssAnon:":
			m.anonymous = kb << 10
		case "RssFile:":
			m.file = kb << 10
		}
	}
	return m, nil
}
