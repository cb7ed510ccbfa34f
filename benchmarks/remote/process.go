package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// What the parent asks of a child, a line each, and is answered with a reading. The end of the child's input is the end of the child.
const (
	askRead  = "read"
	askBegin = "begin" // the window begins: latencies are kept from here on
)

// process is a child, this program itself in a role.
type process struct {
	role    role
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *json.Decoder
	stderr  strings.Builder
	url     string // of a server
}

// start starts a child and waits until it is ready.
func start(ctx context.Context, r role) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	p := &process{role: r, cmd: exec.CommandContext(ctx, exe)}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), roleEnv+"="+string(text)), &p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = json.NewDecoder(bufio.NewReader(out))
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Kind, err)
	}
	ready, err := p.answer()
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.url = ready.URL
	return p, nil
}

func (p *process) ask(question string) (reading, error) {
	if _, err := fmt.Fprintln(p.in, question); err != nil {
		return reading{}, fmt.Errorf("%s: %w", p.role.Kind, err)
	}
	return p.answer()
}

func (p *process) answer() (r reading, err error) {
	if err := p.answers.Decode(&r); err != nil {
		return r, fmt.Errorf("%s ended early: %w", p.role.Kind, err)
	}
	return r, nil
}

// close ends the child and waits for it; an error says what the child had to say.
func (p *process) close() error {
	_ = p.in.Close() // of a child that has ended by itself
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w; it said: %s", p.role.Kind, err, strings.TrimSpace(p.stderr.String()))
	}
	return nil
}
