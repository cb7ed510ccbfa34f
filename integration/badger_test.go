//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/topologies"
)

// badgerKeys is for every day; a published figure has 20 million, see make integration-large.
const badgerKeys = 2_000_000

// Word counts that need more memory than they may use, killed with -9 twice in the middle: the output is exact.
func TestBadgerKilledAndResumed(t *testing.T) {
	random := rand.New(rand.NewPCG(seed(t), 0))
	dir := t.TempDir()
	b := &badger{
		text: topologies.Text{Words: setting(t, "MILLRACE_BADGER_KEYS", badgerKeys), Choice: topologies.RoundRobin},
		out:  filepath.Join(dir, "counts"), stateDir: filepath.Join(dir, "state"),
	}
	b.lines = (b.text.Words + b.text.Words/5 + topologies.LineWords - 1) / topologies.LineWords // a fifth of the words comes twice
	for _, least := range []float64{0.15, 0.55} {
		b.run(t, int64(float64(b.text.Words)*(least+0.25*random.Float64())))
	}
	b.run(t, 0)
	words := b.lines * topologies.LineWords
	t.Logf("%d words of %d keys: %.0f words/s over three runs, restarts and final output included, with a pace of at most %d words/s; peak of resident memory %d MiB (then %d anonymous, %d of files)",
		words, b.text.Words, float64(words)/b.worked.Seconds(), b.pace()*topologies.LineWords, b.most.peak>>20, b.most.anonymous>>20, b.most.file>>20)
	if err := b.check(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// slowly is what the whole text takes at least, so that few keys too have a middle, and a line of the runner in it. Many keys
// take longer by themselves.
const slowly = 6 * time.Second

// pace is lines per second.
func (b *badger) pace() int64 { return max(b.lines/int64(slowly/time.Second), 1) }

// badger is a job that is run in parts.
type badger struct {
	text          topologies.Text
	lines         int64
	out, stateDir string

	epoch  int64 // the newest that a run has told of
	worked time.Duration
	most   memory // at the moment of the highest peak seen
}

// run runs the job, until it holds that many keys and is killed, or with 0 to its end.
func (b *badger) run(t *testing.T, killAt int64) {
	t.Helper()
	news := make(chan status, 1000)
	p := start(t, func(line string) {
		if s, ok := parseStatus(line); ok {
			news <- s
		}
	}, nil, "run", "wordcount", "--state", "badger", "--cache-mb", "256", "--keys", fmt.Sprint(b.text.Words), "--words", "round-robin",
		"--records", fmt.Sprint(b.lines), "--rate", fmt.Sprint(b.pace()), "--checkpoint-interval", "500ms", "--state-dir", b.stateDir, "--output", b.out)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for first, now := true, (status{}); ; {
		select {
		case now = <-news:
			if first && now.epoch < b.epoch {
				t.Fatalf("resumed from epoch %d, the run before had epoch %d", now.epoch, b.epoch)
			}
			first, b.epoch = false, max(b.epoch, now.epoch)
			if killAt > 0 && now.entries >= killAt && now.epoch > 0 {
				p.kill(t)
				b.account(t, p, now)
				return
			}
		case <-tick.C:
			if m, err := p.memory(); err == nil && m.peak > b.most.peak { // an error: it is just ending
				b.most = m
			}
		case <-p.ended:
			p.finish(t)
			if killAt > 0 {
				t.Fatalf("the runner ended before it had %d keys; it said last: %+v", killAt, now)
			}
			b.account(t, p, now)
			return
		}
	}
}

func (b *badger) account(t *testing.T, p *process, at status) {
	ran := time.Since(p.begun)
	b.worked += ran
	t.Logf("a run of %v, to epoch %d with %d keys", ran.Round(time.Millisecond), at.epoch, at.entries)
}

// status is what a line of the runner says.
type status struct{ epoch, entries int64 }

var statusLine = regexp.MustCompile(`epoch (\d+), .*state ([\d,]+) entries`)

func parseStatus(line string) (s status, ok bool) {
	m := statusLine.FindStringSubmatch(line)
	if m == nil {
		return s, false
	}
	epoch, err := strconv.ParseInt(m[1], 10, 64)
	entries, cause := strconv.ParseInt(strings.ReplaceAll(m[2], ",", ""), 10, 64)
	return status{epoch, entries}, err == nil && cause == nil
}

// check compares the output with the text itself in little memory. The sum of hash(word)·count over the output's lines has to
// be the sum of hash(word) over the text's words, modulo 2⁶⁴: hash is drawn anew for each run of the test, so counts that are
// wrong pass with a chance of about one in 10¹⁹. That the words ascend shows that each stands there once, and sorted.
func (b *badger) check(ctx context.Context) error {
	f, err := os.Open(b.out)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := maphash.MakeSeed()
	var got, rows, words int64
	var last []byte
	s := bufio.NewScanner(f)
	for ; s.Scan(); rows++ {
		word, text, ok := bytes.Cut(s.Bytes(), []byte{'\t'})
		n, err := strconv.ParseInt(string(text), 10, 64)
		if !ok || err != nil || n < 1 {
			return fmt.Errorf("line %d is %q, want word<TAB>count", rows+1, s.Bytes())
		}
		if rows > 0 && bytes.Compare(last, word) >= 0 {
			return fmt.Errorf("line %d: %q stands behind %q", rows+1, word, last)
		}
		last = append(last[:0], word...)
		got += int64(maphash.Bytes(hash, word)) * n
		words += n
	}
	if s.Err() != nil {
		return s.Err()
	}
	if rows != b.text.Words || words != b.lines*topologies.LineWords {
		return fmt.Errorf("the output has %d words in %d lines, want %d in %d", words, rows, b.lines*topologies.LineWords, b.text.Words)
	}
	want, err := b.sum(ctx, hash)
	if err == nil && got != want {
		err = fmt.Errorf("the counts of the output have the sum %x, the text has %x", got, want)
	}
	return err
}

// sum adds up the hashes of the words of the whole text.
func (b *badger) sum(ctx context.Context, hash maphash.Seed) (sum int64, err error) {
	for i := int64(0); i < b.lines && ctx.Err() == nil; i++ {
		for word := range strings.FieldsSeq(strings.ToLower(b.text.Line(i))) {
			sum += int64(maphash.String(hash, word))
		}
	}
	return sum, ctx.Err()
}

// The check too is checked: with counts that are right, and with each kind of wrong ones.
func TestBadgerCheckNotices(t *testing.T) {
	b := &badger{text: topologies.Text{Words: 10, Choice: topologies.RoundRobin}, lines: 5} // 40 words: each 4 times
	right := strings.Fields("and:4 for:4 in:4 is:4 it:4 of:4 that:4 the:4 to:4 was:4")
	for name, c := range map[string]struct {
		change func(lines []string) []string
		wrong  string
	}{
		"right":       {func(l []string) []string { return l }, ""},
		"a word less": {func(l []string) []string { return l[1:] }, "36 words in 9 lines, want 40 in 10"},
		"unsorted":    {func(l []string) []string { l[0], l[1] = l[1], l[0]; return l }, `"and" stands behind "for"`},
		"twice":       {func(l []string) []string { l[1] = l[0]; return l }, `"and" stands behind "and"`},
		"moved":       {func(l []string) []string { l[2], l[3] = "in:3", "is:5"; return l }, "have the sum"},
		"other word":  {func(l []string) []string { l[9] = "were:4"; return l }, "have the sum"},
		"no count":    {func(l []string) []string { l[9] = "was"; return l }, `line 10 is "was"`},
	} {
		b.out = filepath.Join(t.TempDir(), "counts")
		lines := strings.Join(c.change(slices.Clone(right)), "\n") + "\n"
		if err := os.WriteFile(b.out, []byte(strings.ReplaceAll(lines, ":", "\t")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.check(t.Context()); (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: got %v, want %q", name, err, c.wrong)
		}
	}
}
