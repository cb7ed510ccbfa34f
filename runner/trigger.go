package runner

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace"
)

// trigger is a millrace.Trigger as a flag.
type trigger millrace.Trigger

// MarshalText implements encoding.TextMarshaler.
func (t trigger) MarshalText() ([]byte, error) { return []byte(millrace.Trigger(t).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *trigger) UnmarshalText(text []byte) error {
	name := string(text)
	for _, x := range []millrace.Trigger{millrace.RealTime(0), millrace.MicroBatch(), millrace.Once(), millrace.AvailableNow()} {
		if name == x.String() {
			*t = trigger(x)
			return nil
		}
	}
	if interval, ok := strings.CutPrefix(name, "every="); ok {
		d, err := time.ParseDuration(interval)
		if err != nil || d <= 0 {
			return fmt.Errorf("want an interval such as every=10s, not %q", interval)
		}
		*t = trigger(millrace.Every(d))
		return nil
	}
	return fmt.Errorf("want real-time, micro-batch, every=INTERVAL, once or available-now")
}

// realTime says whether records flow as they come.
func (t trigger) realTime() bool { return millrace.Trigger(t) == millrace.RealTime(0) }
