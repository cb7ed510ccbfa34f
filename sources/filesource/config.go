// Package filesource reads a directory of files that appear by rename: text, JSON lines or CSV. Each file is read exactly
// once, also over restarts, in the order of modification times, then names.
package filesource

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"
)

// Config says which files to read. Dir is required.
//
// A file must appear complete, by a rename within its file system, and must not change afterwards: what is appended to a
// file that was read is not read, and is reported as a dead letter. Names that begin with "." or "_" or end in ".tmp" are
// passed over, so that a writer can use them for files that are not complete. Directories in Dir are not entered.
//
// A file is known by its name: give new content a new name. The names of the files read are remembered (12 bytes each, in
// the split's position) until they are gone from Dir, but no longer than MaxAge.
type Config struct {
	Dir     string
	Pattern string // of names, as in path.Match; default "*"

	// MaxFilesPerTrigger is the most files in a batch of a micro-batch trigger; 0 = all that are there. A job in real-time
	// mode has no use for it.
	MaxFilesPerTrigger int
	PollEvery          time.Duration // between two looks for new files; default 1 s
	// MaxAge is how much older than the newest file read a file may be, by modification time, to be read: older ones count
	// as read and their names are forgotten. One that appears later than that while the job runs is a dead letter.
	// Default 7 days.
	MaxAge         time.Duration
	MaxRecordBytes int // longer records go to the dead letters; default 1 MiB
	// Once ends the split when what was there at the start is read; after a restart that is what is there then.
	Once bool
}

const (
	pollEvery      = time.Second
	maxAge         = 7 * 24 * time.Hour
	recordBytesMax = 1 << 20
	bufferBytes    = 64 << 10
)

func (c Config) withDefaults() Config {
	if c.Pattern == "" {
		c.Pattern = "*"
	}
	if c.PollEvery == 0 {
		c.PollEvery = pollEvery
	}
	if c.MaxAge == 0 {
		c.MaxAge = maxAge
	}
	if c.MaxRecordBytes == 0 {
		c.MaxRecordBytes = recordBytesMax
	}
	return c
}

// validate reports everything that is wrong, and a directory that is not there.
func (c Config) validate() error {
	var errs []error
	if _, err := path.Match(c.Pattern, ""); err != nil {
		errs = append(errs, fmt.Errorf("pattern %q: %w", c.Pattern, err))
	}
	if c.MaxFilesPerTrigger < 0 || c.PollEvery < 0 || c.MaxAge < 0 || c.MaxRecordBytes < 0 {
		errs = append(errs, fmt.Errorf("%d files per trigger, poll every %v, age %v, record of %d bytes: none may be negative",
			c.MaxFilesPerTrigger, c.PollEvery, c.MaxAge, c.MaxRecordBytes))
	}
	if c.Dir == "" {
		return errors.Join(append(errs, errors.New("no directory: set Config.Dir"))...)
	}
	info, err := os.Stat(c.Dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%q is not a directory: for one file use sources.Lines", c.Dir)
	}
	return errors.Join(append(errs, err)...)
}

// wants says whether a file of this name is to be read.
func (c Config) wants(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.HasSuffix(name, ".tmp") {
		return false
	}
	ok, err := path.Match(c.Pattern, name)
	return ok && err == nil
}
