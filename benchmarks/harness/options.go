package harness

import (
	"flag"
	"fmt"
	"time"
)

// Options are the flags every benchmark shares.
type Options struct {
	JSON    bool    `json:"-"`       // print the report as one JSON object on the last line
	Rounds  int     `json:"rounds"`  // interleaved rounds; default 7, the fewest a published figure may have
	Seconds float64 `json:"seconds"` // length of each measured window
	Out     string  `json:"-"`       // directory of the plots
	Profile string  `json:"-"`       // file for a processor profile of the whole run; none when empty
}

// Window is the length of each measured window.
func (o Options) Window() time.Duration { return time.Duration(o.Seconds * float64(time.Second)) }

// WarmUp runs before each window and is not measured.
func (o Options) WarmUp() time.Duration { return min(o.Window()/4, 500*time.Millisecond) }

// Register adds the shared flags to fs; seconds is the benchmark's own default for -seconds.
func (o *Options) Register(fs *flag.FlagSet, seconds float64) {
	fs.BoolVar(&o.JSON, "json", false, "print the report as one JSON object on the last line")
	fs.IntVar(&o.Rounds, "rounds", 7, "interleaved rounds; fewer than 7 are for trying things out")
	fs.Float64Var(&o.Seconds, "seconds", seconds, "length of each measured window")
	fs.StringVar(&o.Profile, "cpuprofile", "", "write a processor profile, labelled by contestant and part, to this file")
	fs.StringVar(&o.Out, "out", "benchmarks/out", "directory for the plots, made when missing")
}

func (o Options) validate() error {
	if o.Rounds < 1 {
		return fmt.Errorf("-rounds is %d, want at least 1", o.Rounds)
	}
	if !(o.Seconds >= 0.05 && o.Seconds <= 600) {
		return fmt.Errorf("-seconds is %g, want 0.05 to 600", o.Seconds)
	}
	return nil
}
