package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/millrace-io/millrace/internal/fault"
)

// process is a job at work.
type process struct {
	run   string
	cmd   *exec.Cmd
	begun time.Time
	ended chan struct{} // closed when it is gone
	said  *tail
}

// tail keeps the end of what a process writes to its standard error, of which all goes to a file.
type tail struct {
	file *os.File
	mu   sync.Mutex
	text []byte
}

const tailBytes = 256 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return t.file.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// start runs the job's binary. armed is the point at which it kills itself, "" for none. log is the file that it writes its standard error to.
func start(path, run, armed, log string, args []string) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	p := &process{run: run, cmd: exec.Command(path, args...), ended: make(chan struct{}), said: &tail{file: file}}
	p.cmd.Stderr = p.said
	if p.cmd.Env = os.Environ(); armed != "" {
		p.cmd.Env = append(p.cmd.Env, fault.Variable+"="+armed)
	}
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	go func() {
		_ = p.cmd.Wait() // its state tells
		_ = file.Close() // a log
		close(p.ended)
	}()
	return p, nil
}

// kill is -9. A process that has ended by itself before is an error, unless it was for a point.
func (p *process) kill() error {
	_ = p.cmd.Process.Kill()
	<-p.ended
	return p.killed()
}

// killed is an error unless it died of SIGKILL.
func (p *process) killed() error {
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return nil
	}
	return p.unexpected()
}

// point is where it says that it killed itself, "" for nowhere.
func (p *process) point() string {
	_, name, found := strings.Cut(p.said.String(), fault.Killed)
	if !found {
		return ""
	}
	return strings.TrimSpace(name)
}

// dump ends a process that hangs, and gives its goroutines.
func (p *process) dump() string {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return p.said.String()
}

// unexpected is the error of a process that has ended although nothing was done to it.
func (p *process) unexpected() error {
	return fmt.Errorf("run %s ended by itself after %v: %v\n%s", p.run, time.Since(p.begun).Round(time.Millisecond), p.cmd.ProcessState, p.said.String())
}
