package harness

import (
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// Machine is where the figures were measured. Figures of two machines are not comparable, ratios nearly are.
type Machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	GoMaxProcs int    `json:"gomaxprocs"`
	Go         string `json:"go"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Kernel     string `json:"kernel"`
	Load1      Figure `json:"load1"` // one-minute load average behind the last round: the contestants and whoever else ran
}

// ReadMachine describes this machine; what the system does not tell is "unknown".
func ReadMachine() Machine {
	return Machine{
		CPU:        cpuModel(read("/proc/cpuinfo")),
		Cores:      runtime.NumCPU(),
		GoMaxProcs: runtime.GOMAXPROCS(0),
		Go:         runtime.Version(),
		OS:         runtime.GOOS,
		Arch:       runtime.GOARCH,
		Kernel:     orUnknown(strings.TrimSpace(read("/proc/sys/kernel/osrelease"))),
		Load1:      Figure(firstNumber(read("/proc/loadavg"))),
	}
}

func read(path string) string {
	b, _ := os.ReadFile(path) // absent on other systems: the caller says unknown
	return string(b)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// cpuModel finds the first "model name : …" of /proc/cpuinfo.
func cpuModel(info string) string {
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return orUnknown(strings.TrimSpace(value))
		}
	}
	return "unknown"
}

func firstNumber(s string) float64 {
	first, _, _ := strings.Cut(s, " ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// Commit is the revision of the source, with "+changes" when the tree differs from it: from git where the benchmark is run
// in its tree, else from what the go command stamped into the binary.
func Commit() string {
	if rev, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output(); err == nil {
		status, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output()
		if err == nil && len(status) > 0 {
			return strings.TrimSpace(string(rev)) + "+changes"
		}
		return strings.TrimSpace(string(rev))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
