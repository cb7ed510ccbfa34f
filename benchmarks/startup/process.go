package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// program is what is started.
type program struct {
	path string
	env  []string // added to the environment
}

// process is a started program.
type process struct {
	cmd    *exec.Cmd
	begun  time.Time
	out    *bufio.Reader
	stderr strings.Builder
}

func (p program) start(ctx context.Context, args ...string) (*process, error) {
	c := &process{cmd: exec.CommandContext(ctx, p.path, args...)}
	c.cmd.Env, c.cmd.Stderr = append(os.Environ(), p.env...), &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	c.begun = time.Now()
	return c, c.cmd.Start()
}

// line is the next line of the standard output, and when it was there, counted from before exec.
func (p *process) line() (text string, afterNS int64, err error) {
	text, err = p.out.ReadString('\n')
	return text, time.Since(p.begun).Nanoseconds(), err
}

// status is the next line, which has to show counts.
func (p *process) status() (s status, afterNS int64, err error) {
	text, afterNS, err := p.line()
	if err != nil {
		return s, afterNS, err
	}
	s, err = parseStatus(text)
	return s, afterNS, err
}

// status is what a line of wordcount says.
type status struct {
	entries int64
	first   int64 // the count of the first word
}

var statusLine = regexp.MustCompile(`state ([\d,]+) entries [^;]*; \S+ ([\d,]+)`)

func parseStatus(line string) (s status, err error) {
	m := statusLine.FindStringSubmatch(line)
	if m == nil {
		return s, fmt.Errorf("output %q has no counts", line)
	}
	if s.entries, err = number(m[1]); err != nil {
		return s, err
	}
	s.first, err = number(m[2])
	return s, err
}

// number reads a number with separators of thousands.
func number(text string) (int64, error) {
	return strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
}

// drain reads on, so that the process does not wait for its reader. Nothing else may read from here on.
func (p *process) drain() {
	go func() { _, _ = io.Copy(io.Discard, p.out) }() // ends with the process
}

// end ends the process with how, or kills it when there is an error already, which then says what the process had to say.
func (p *process) end(err error, how func() error) error {
	if err == nil {
		err = how()
	} else {
		_ = p.kill()
	}
	if err != nil {
		return fmt.Errorf("%w; it said: %s", err, strings.TrimSpace(p.stderr.String()))
	}
	return nil
}

func (p *process) wait() error { return p.cmd.Wait() }

func (p *process) interrupt() error {
	return errors.Join(p.cmd.Process.Signal(os.Interrupt), p.cmd.Wait())
}

func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it says that the process was killed
	return err
}

// memory is the resident memory of a process, in bytes: now, and at its peak.
type memory struct{ resident, peak int64 }

// memory asks the kernel. Behind a process' end it would be too late, and the rusage of a child has the parent's peak in it.
func (p *process) memory() (m memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "VmRSS:" && f[0] != "VmHWM:" {
			continue
		}
		kb, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return m, fmt.Errorf("%q: %w", line, err)
		}
		if f[0] == "VmRSS:" {
			m.resident = kb << 10
		} else {
			m.peak = kb << 10
		}
	}
	if m.resident == 0 {
		return m, fmt.Errorf("process %d: %w", p.cmd.Process.Pid, syscall.ESRCH)
	}
	return m, nil
}
