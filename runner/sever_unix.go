//go:build unix && !linux

package runner

import (
	"os/exec"
	"syscall"
)

// sever keeps the terminal's signals from a child, which this process ends in its own time. When this process dies the child's input ends.
func sever(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
