package wire

// Reseal makes the checksum of a frame right and the lane, the version and the attempt this end's, so that a fuzzer gets behind them.
func Reseal(b []byte) []byte {
	if len(b) < restAt {
		return b
	}
	e := newEnd(Lane{Name: "job/3/count/0-1", Attempt: 3})
	e.head(b, kind(b[kindAt]))
	seal(b)
	return b
}
