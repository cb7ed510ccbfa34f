package harness

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is a reading of what this process and the machine have used so far.
type Usage struct {
	timeNS  int64
	cpuNS   int64
	mallocs uint64
	busyNS  float64 // of the whole machine; NaN when unknown
}

// StartUsage begins a measured window. Reading the memory statistics stops the world, so it happens before the window.
func StartUsage() Usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{busyNS: machineBusyNS(), mallocs: m.Mallocs, cpuNS: processCPUNS(), timeNS: NowNS()}
}

// Until ends the window that u began, in which records reached the end of the contestant.
func (u Usage) Until(records int64) Sample {
	timeNS, cpuNS, busyNS := NowNS(), processCPUNS(), machineBusyNS()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := Sample{Records: records, ElapsedNS: timeNS - u.timeNS, CPUNS: cpuNS - u.cpuNS, Mallocs: m.Mallocs - u.mallocs}
	s.ForeignCores = math.Max(0, (busyNS-u.busyNS-float64(s.CPUNS))/float64(s.ElapsedNS))
	return s
}

// Watch measures a running contestant for a window; count tells how many records reached its end so far.
func Watch(ctx context.Context, window time.Duration, count func() int64) (Sample, error) {
	n, u := count(), StartUsage()
	if err := Wait(ctx, window); err != nil {
		return Sample{}, err
	}
	return u.Until(count() - n), nil
}

// Wait returns after d, or with the context's error when that ends first.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("measured window: %w", context.Cause(ctx))
	}
}

func processCPUNS() int64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(fmt.Sprintf("getrusage of this process: %v", err)) // cannot happen: both arguments are right
	}
	return r.Utime.Nano() + r.Stime.Nano()
}

// machineBusyNS is the time all cores together have worked, from Linux' /proc/stat in ticks of 10 ms.
func machineBusyNS() float64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return math.NaN()
	}
	return parseBusyNS(string(text))
}

// parseBusyNS adds user, nice, system, irq, softirq and steal of the first line: cpu user nice system idle iowait irq
// softirq steal …
func parseBusyNS(stat string) float64 {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return math.NaN()
	}
	var ticks float64
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			return math.NaN()
		}
		ticks += v
	}
	return ticks * 1e7
}
