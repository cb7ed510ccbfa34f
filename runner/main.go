package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/millrace-io/millrace/actors"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1   // the job failed
	exitUsage       = 2   // the command line is wrong
	exitInterrupted = 130 // a second interrupt did not wait for the last epoch
)

// sameInterrupt is how soon after the first a signal counts as the same: timeout(1) and process groups send one twice.
const sameInterrupt = 300 * time.Millisecond

// Main runs the command line of the process and exits: 0 when the job ended or was stopped, 1 when it failed, 2 when the
// command line is wrong. Interrupt and SIGTERM stop a job after a last epoch; the second one exits at once.
func Main(topologies ...Topology) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		first := time.Now()
		for range signals {
			if time.Since(first) > sameInterrupt {
				os.Exit(exitInterrupted)
			}
		}
	}()
	os.Exit(Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, topologies...))
}

// Run runs one command line, args without the program's name, and returns the exit code. When ctx ends, a running job stops
// after a last epoch.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, topologies ...Topology) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, topologies: topologies}
	err := p.dispatch(ctx, args)
	switch usage := (usageError{}); {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "runner: %s\n", oneLine(err))
		return exitUsage
	default:
		fmt.Fprintf(stderr, "runner: %s\n", oneLine(err))
		printStack(stderr, err)
		return exitFailed
	}
}

// usageError is a command line that is wrong.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// oneLine is the error's text on one line: joined errors are separated by semicolons, the stack of a panic is left out.
func oneLine(err error) string {
	text := err.Error()
	var p *actors.PanicError
	if errors.As(err, &p) {
		text = strings.ReplaceAll(text, "\n"+p.Stack, " (stack below)")
	}
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
}

// printStack prints where a user's function panicked.
func printStack(w io.Writer, err error) {
	var p *actors.PanicError
	if errors.As(err, &p) {
		fmt.Fprintln(w, strings.TrimSpace(p.Stack))
	}
}
