//go:build integration

package integration

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A checker that finds nothing is worth nothing: each rule is broken once. A script is producer:value, of one key.
func TestHistoryNotices(t *testing.T) {
	for _, c := range []struct {
		script, wrong string
		last, back    int64
	}{
		{"1:1 1:2 1:3", "", 3, 0},
		{"1:1 1:2 2:3", "", 3, 0},
		{"1:1 1:2 1:3 2:2 2:3 2:4", "", 4, 1},
		{"1:1 1:2 2:1 3:1 3:2 3:3", "", 3, 2},
		{"1:2", "leaves a gap behind 0", 2, 0},
		{"1:0", "leaves a gap behind 0", 0, 0},
		{"1:1 1:3", "leaves a gap behind 1", 3, 0},
		{"1:1 2:3", "leaves a gap behind 1", 3, 0},
		{"1:1 1:2 1:2", "steps back from 2 without a restart", 2, 0},
		{"1:1 1:2 2:1 1:3", "was written by 1 behind what the later 2 wrote", 3, 1},
		{"1:x", "is no count", 0, 0},
		{"once 2:1 1:2 2:3", "", 3, 0},
		{"once 1:1 1:2 2:2", "is not what follows 2", 2, 0},
		{"once 1:1 1:3", "is not what follows 1", 3, 0},
	} {
		h := newHistory()
		script, once := strings.CutPrefix(c.script, "once ")
		h.once = once
		for step := range strings.FieldsSeq(script) {
			h.take(&kgo.Record{Key: []byte("k"), Value: []byte(step[2:]), ProducerID: int64(step[0] - '0')})
		}
		if got := strings.Join(h.wrong, "; "); !strings.Contains(got, c.wrong) || (got == "") != (c.wrong == "") {
			t.Errorf("%s: got %q, want %q", c.script, got, c.wrong)
		}
		if h.counts()["k"] != c.last || h.back() != c.back {
			t.Errorf("%s: last %d, back %d, want %d, %d", c.script, h.counts()["k"], h.back(), c.last, c.back)
		}
	}
}
