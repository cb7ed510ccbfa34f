package natssource

import "time"

// Probing is cfg with another time between two looks at a stream that gives nothing.
func Probing(cfg Config, every time.Duration) Config {
	cfg.probeEvery = every
	return cfg
}
