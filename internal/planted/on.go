//go:build planted

package planted

import "os"

// chosen is the one bug of this process.
var chosen = os.Getenv("MILLRACE_PLANTED")

// On says whether the bug of this name is planted.
func On(name string) bool { return name == chosen }

// Choose plants a bug, or none by the empty name, before any job runs. A process begins with that of $MILLRACE_PLANTED.
func Choose(name string) { chosen = name }
