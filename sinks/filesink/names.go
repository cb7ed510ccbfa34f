package filesink

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// hiddenPrefix begins the names of files that are not published. No reader takes a name that begins with a dot.
const hiddenPrefix = ".inprogress-"

// draft is the identity of a file, and with it its two names: it is never used twice within a lineage, since attempts only grow. The final
// name is known from the first byte on, so that no file can be published under two.
type draft struct {
	owner   owner
	attempt flow.Attempt
	number  int // of the files of a task in an attempt, from 1
	task    int
}

// owner tells the files of a lineage's operator from all others.
type owner string

const ownerBytes = 6

func ownerOf(at sinks.Instance) owner {
	sum := sha256.Sum256([]byte(at.Lineage + "\x00" + at.Operator))
	return owner(hex.EncodeToString(sum[:ownerBytes]))
}

// key sorts files as they were written.
func (d draft) key() string {
	if d.owner == "" {
		d.owner = owner(strings.Repeat("0", 2*ownerBytes)) // as long as any
	}
	return fmt.Sprintf("%s-%06d-%012d-%04d", d.owner, d.attempt, d.number, d.task)
}

func (d draft) hidden() string { return hiddenPrefix + d.key() }

func (d draft) final(c Config) string { return c.Prefix + d.key() + c.Suffix }

// prefix begins the hidden names of an owner.
func (o owner) prefix() string { return hiddenPrefix + string(o) + "-" }

// attemptOf tells the attempt that made a hidden file of this owner; ok is false for another file.
func (o owner) attemptOf(hidden string) (_ flow.Attempt, ok bool) {
	rest, ok := strings.CutPrefix(hidden, o.prefix())
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return flow.Attempt(n), ok && err == nil
}
