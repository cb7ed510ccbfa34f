package natstest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// binary is a nats-server whose processes take the place of servers in the test's own, where a test changes no options; empty: none.
func binary() string { return os.Getenv("MILLRACE_NATS_SERVER") }

// process is a server in a process of its own.
type process struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

// startProcess starts the binary on a port and waits until it answers.
func startProcess(t testing.TB, port int, dir string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary(), "-a", "127.0.0.1", "-p", strconv.Itoa(port), "-js", "-sd", dir)}
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = conn.Close() // it was only to see that somebody listens
			return p
		}
		if time.Since(began) > readyWithin {
			p.stop()
			t.Fatalf("%s does not listen after %v: %v\n%s", binary(), readyWithin, err, &p.log)
		}
		time.Sleep(5 * time.Millisecond) // another process: nothing rings when it listens
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt) // when it has ended, Wait says so
	_ = p.cmd.Wait()                       // its exit status is 1 after an interrupt
}

// freePort is a port that nobody listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it is only asked for its port
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(fmt.Errorf("address %v is none of TCP", l.Addr()))
	}
	return addr.Port
}
