package filesink

import (
	"errors"
	"fmt"
	"strings"
)

// Config says where to write. Dir is required; it is made if it is not there.
type Config struct {
	// Dir holds the files and, while they are written, their hidden forms, which begin with ".inprogress-". Several sinks and jobs may
	// share it.
	Dir string
	// Prefix and Suffix are around what makes a name unique: "part-" and ".txt" give
	// part-4f1c09a2b3de-000003-000000000007-0002.txt, in the order lineage and operator, attempt, number and task. Prefix defaults to
	// "part-", Suffix to ".txt", ".jsonl" or ".csv".
	Prefix, Suffix string
	// RollBytes is the size from which on a file is ended and the next begun; a file is larger by one record at most. Default 128 MiB.
	// A full file waits for the end of its batch, which ends the last one too.
	RollBytes int64
	// ReadersRemove says that readers remove or rename files once they have read them. A file that a restart does not find counts as
	// published then, where it is an error otherwise. If the process is killed in the instant between a file's publication and
	// the removal of its hidden name, and a reader removes the file before the restart, then it appears a second time.
	ReadersRemove bool
}

const (
	rollBytes    = 128 << 20
	bufferBytes  = 64 << 10
	nameBytesMax = 255 // of a file, in every file system that matters
)

func (c Config) withDefaults(suffix string) Config {
	if c.Prefix == "" {
		c.Prefix = "part-"
	}
	if c.Suffix == "" {
		c.Suffix = suffix
	}
	if c.RollBytes == 0 {
		c.RollBytes = rollBytes
	}
	return c
}

// validate reports everything that is wrong in itself.
func (c Config) validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("no directory: set Config.Dir"))
	}
	if strings.ContainsAny(c.Prefix+c.Suffix, "/\\\x00\r\n") {
		errs = append(errs, fmt.Errorf("prefix %q, suffix %q: neither may have a separator of paths or a line end", c.Prefix, c.Suffix))
	}
	if strings.HasPrefix(c.Prefix, ".") || strings.HasPrefix(c.Prefix, "_") || strings.HasSuffix(c.Suffix, ".tmp") {
		errs = append(errs, fmt.Errorf("prefix %q, suffix %q: readers pass over names that begin with %q or %q or end in %q",
			c.Prefix, c.Suffix, ".", "_", ".tmp"))
	}
	if n := len(draft{}.final(c)); n > nameBytesMax {
		errs = append(errs, fmt.Errorf("prefix %q and suffix %q make names of %d bytes, at most %d", c.Prefix, c.Suffix, n, nameBytesMax))
	}
	if c.RollBytes < 0 {
		errs = append(errs, fmt.Errorf("a new file every %d bytes: the size may not be negative", c.RollBytes))
	}
	return errors.Join(errs...)
}
