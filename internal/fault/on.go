//go:build faults

package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// On says whether points are compiled in.
const On = true

// armed is the point of the environment.
var armed = parse(os.Getenv(Variable))

type point struct {
	name string
	left atomic.Int64 // hits up to the deadly one, included
}

func parse(text string) *point {
	if text == "" {
		return &point{}
	}
	name, hit, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(hit, 10, 64)
	if err != nil || n < 1 {
		panic(fmt.Sprintf("%s is %q, want name:hit, hits counted from 1", Variable, text))
	}
	p := &point{name: name}
	p.left.Store(n)
	return p
}

// Point kills the process when it is the armed one and was hit as often as wanted.
func Point(name string) {
	if name == armed.name && armed.left.Add(-1) == 0 {
		die(name)
	}
}

// soonAfter is about half of what a server on this machine takes to answer.
const soonAfter = 200 * time.Microsecond

// Soon is a Point that lets what follows begin: it kills the process a moment later, in the middle of a request whose answer never
// comes. Whether the server has it is left to chance.
func Soon(name string) {
	if name == armed.name && armed.left.Add(-1) == 0 {
		go func() {
			time.Sleep(soonAfter)
			die(name)
		}()
	}
}

func die(name string) {
	fmt.Fprintln(os.Stderr, Killed+name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal may arrive on another thread first
}
