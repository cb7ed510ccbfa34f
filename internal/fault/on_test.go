//go:build faults

package fault_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/fault"
)

func TestMain(m *testing.M) {
	switch os.Getenv("MILLRACE_FAULT_TEST") {
	case "point":
		for range 3 {
			os.Stdout.WriteString("before ")
			fault.Point("here")
			fault.Point("elsewhere")
		}
		os.Exit(0)
	case "soon":
		fault.Soon("here")
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// run is this program with a point armed.
func run(t *testing.T, what, armed string) (stdout, stderr string, killed bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "MILLRACE_FAULT_TEST="+what, fault.Variable+"="+armed)
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status, ok := exit.Sys().(syscall.WaitStatus)
		killed = ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	}
	return out.String(), text.String(), killed
}

func TestPointKillsAtItsHit(t *testing.T) {
	if out, text, killed := run(t, "point", "here:2"); !killed || strings.Count(out, "before") != 2 || text != fault.Killed+"here\n" {
		t.Errorf("killed %v behind %q, and said %q", killed, out, text)
	}
	if out, _, killed := run(t, "point", "here:4"); killed || strings.Count(out, "before") != 3 {
		t.Errorf("a fourth hit of three: killed %v behind %q", killed, out)
	}
	if _, _, killed := run(t, "point", ""); killed {
		t.Error("killed without an armed point")
	}
	if _, text, _ := run(t, "point", "here"); !strings.Contains(text, "want name:hit") {
		t.Errorf("a point without a hit: %q", text)
	}
}

func TestSoonKillsTheCallerInWhatFollows(t *testing.T) {
	if _, text, killed := run(t, "soon", "here:1"); !killed || text != fault.Killed+"here\n" {
		t.Errorf("killed %v, and said %q", killed, text)
	}
}
