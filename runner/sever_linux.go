package runner

import (
	"os/exec"
	"syscall"
)

// sever keeps the terminal's signals from a child, which this process ends in its own time, and lets the kernel kill it when this process dies.
func sever(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
