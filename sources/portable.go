package sources

// Portable is a Source that says whether its splits can be read in any process that runs the job, and not only in the one that started it: what it
// reads is found by its configuration alone, and its readers share nothing. A Source without this method is read where the job was started.
type Portable interface {
	Portable() bool
}

// IsPortable says whether the splits of src can be read in any process.
func IsPortable[T any](src Source[T]) bool {
	p, ok := src.(Portable)
	return ok && p.Portable()
}
