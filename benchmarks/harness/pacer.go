package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// DefaultTick is the time between two ticks of a pacer.
const DefaultTick = 50 * time.Microsecond

// pacerEnv tells a second process of the same binary that it is a pacer; the value is the tick.
const pacerEnv = "MILLRACE_PACER_TICK"

// pacerFD is where a pacer finds the pipe: the first extra file of exec.
const pacerFD = 3

// Pacer wakes an open-loop source at fixed times. Timers of the Go runtime cannot go below a millisecond on Linux, so a
// second process sleeps precisely and writes a byte per tick into a pipe, which wakes the reader as a socket would. Its
// processor time is not this process's.
type Pacer struct {
	ticks *os.File
	child *exec.Cmd
	buf   [4096]byte
}

// StartPacer starts a pacer process. The program's main (and TestMain) must begin with ServePacer.
func StartPacer(tick time.Duration) (*Pacer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start pacer: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start pacer: %w", err)
	}
	defer w.Close()
	child := exec.Command(exe)
	child.Env = append(os.Environ(), pacerEnv+"="+tick.String())
	child.ExtraFiles = []*os.File{w}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start pacer: %w", err), r.Close())
	}
	return &Pacer{ticks: r, child: child}, nil
}

// Wait blocks until the next tick and takes all ticks that are due: a reader that was late does not see them again.
func (p *Pacer) Wait() error {
	if _, err := p.ticks.Read(p.buf[:]); err != nil {
		return fmt.Errorf("wait for a tick of the pacer: %w", err)
	}
	return nil
}

// Close ends the pacer process and every Wait.
func (p *Pacer) Close() error {
	err := p.ticks.Close()
	if kill := p.child.Process.Kill(); kill != nil && !errors.Is(kill, os.ErrProcessDone) {
		err = errors.Join(err, kill)
	}
	var exit *exec.ExitError
	if wait := p.child.Wait(); wait != nil && !errors.As(wait, &exit) { // it was killed, or ended at the closed pipe
		err = errors.Join(err, wait)
	}
	return err
}

// ServePacer turns the process into a pacer when StartPacer started it, and then does not return. Call it first in main,
// before flags are parsed.
func ServePacer() {
	value, asked := os.LookupEnv(pacerEnv)
	if !asked {
		return
	}
	tick, err := time.ParseDuration(value)
	if err != nil || tick <= 0 {
		fmt.Fprintf(os.Stderr, "pacer: %s is %q, want a duration such as 50µs\n", pacerEnv, value)
		os.Exit(2)
	}
	runtime.LockOSThread()
	if err := syscall.SetNonblock(pacerFD, true); err != nil {
		fmt.Fprintf(os.Stderr, "pacer: no pipe at file %d: %v\n", pacerFD, err)
		os.Exit(2)
	}
	writeTicks(tick)
	os.Exit(0)
}

// writeTicks writes a byte per tick until the reader is gone. A full pipe loses the tick: the reader is behind anyway.
func writeTicks(tick time.Duration) {
	sleep := newSleeper()
	for {
		sleep.next(tick)
		if _, err := syscall.Write(pacerFD, []byte{1}); err != nil && err != syscall.EAGAIN && err != syscall.EINTR {
			return
		}
	}
}
