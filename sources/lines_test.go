package sources_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// readLines reads path from a position to its end and returns lines, dead letters and the position there.
func readLines(cfg sources.LinesConfig, from flow.Position, n int) (lines []string, bad []flow.DeadLetter, at flow.Position, err error) {
	r, err := sources.Lines(cfg).Open(noContext, flow.Split{ID: cfg.Path}, from)
	if err != nil {
		return nil, nil, nil, err
	}
	defer r.Close()
	for {
		b := batchOf[string](n)
		err := r.Read(noContext, b)
		for _, rec := range b.Records {
			lines = append(lines, rec.Value)
		}
		bad = append(bad, b.Bad...)
		at = slices.Clone(b.Next)
		if errors.Is(err, io.EOF) {
			return lines, bad, at, nil
		}
		if err != nil {
			return lines, bad, at, err
		}
	}
}

func TestLinesThatAreTooLongAreDeadLetters(t *testing.T) {
	const most = 100
	long := strings.Repeat("L", 200_000)
	text := "short\n" + strings.Repeat("a", most) + "\n" + strings.Repeat("b", most+1) + "\n" + long + "\n" +
		strings.Repeat("c", most) + "\r\n" + strings.Repeat("d", most+1) + "\r\nend\n" + strings.Repeat("e", most+2)
	path := write(t, text)
	want := []string{"short", strings.Repeat("a", most), strings.Repeat("c", most), "end"}
	for _, n := range []int{1, 2, 100} {
		lines, bad, _, err := readLines(sources.LinesConfig{Path: path, MaxLineBytes: most}, nil, n)
		if err != nil || !slices.Equal(lines, want) {
			t.Fatalf("batches of %d: got %d lines, %v", n, len(lines), err)
		}
		var at, values []string
		for _, d := range bad {
			at = append(at, d.Position)
			values = append(values, string(d.Value[:1]))
		}
		if got := strings.Join(at, "; "); got != "line 3, byte 107; line 4, byte 209; line 6, byte 200312; line 8, byte 200419" {
			t.Errorf("batches of %d: dead letters at %s", n, got)
		}
		if got := strings.Join(values, ""); got != "bLde" {
			t.Errorf("batches of %d: dead letters %s", n, got)
		}
		if !strings.Contains(bad[1].Reason, "200000 bytes, at most 100") || len(bad[1].Value) < most {
			t.Errorf("reason %q with %d bytes", bad[1].Reason, len(bad[1].Value))
		}
	}
}

// TestLinesRefuseAnotherFile: a position is only good in the file it was made in.
func TestLinesRefuseAnotherFile(t *testing.T) {
	text := strings.Repeat("the quick brown fox\n", 300)
	for name, c := range map[string]struct {
		text, err string
	}{
		"truncated":                    {text[:100], "truncated or replaced"},
		"beginning changed":            {"T" + text[1:], "changed or replaced"},
		"changed before the position":  {text[:5999] + "!" + text[5999:], "changed or replaced"},
		"grown":                        {text + "more\n", ""},
		"changed where nobody can see": {text[:3000] + "X" + text[3001:], ""},
	} {
		path := write(t, text)
		cfg := sources.LinesConfig{Path: path}
		_, _, at, err := readLines(cfg, nil, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		lines, _, _, err := readLines(cfg, at, 64)
		if c.err == "" {
			if more := strings.Count(c.text, "\n") - 300; err != nil || len(lines) != more {
				t.Errorf("%s: got %q, %v", name, lines, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestLastLineThatGrows: a last line without an end counts as a line, so it must not be continued afterwards.
func TestLastLineThatGrows(t *testing.T) {
	for more, want := range map[string]string{
		"":         "[]",
		"\n":       "[]",
		"\r\n":     "[]",
		"\nnext":   "[next]",
		"\nnext\n": "[next]",
		"d":        "line 2 grew",
		"d\n":      "line 2 grew",
	} {
		path := write(t, "one\ntwo")
		cfg := sources.LinesConfig{Path: path}
		lines, _, at, err := readLines(cfg, nil, 64)
		if err != nil || !slices.Equal(lines, []string{"one", "two"}) {
			t.Fatal(lines, err)
		}
		_, _, again, err := readLines(cfg, at, 64) // an end reached once more keeps knowing about the last line
		if err != nil || !slices.Equal(at, again) {
			t.Fatalf("position %x became %x, %v", at, again, err)
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(more); err != nil {
			t.Fatal(err)
		}
		f.Close()
		lines, _, _, err = readLines(cfg, again, 64)
		if got := fmt.Sprint(lines); err == nil && got != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q added: got %s, %v; want %s", more, got, err, want)
		}
	}
}

// TestLinesOfAPipeComeAtOnce: a line of an input is handed over when it arrives, and one that a cancelled read left
// behind goes to the next reader.
func TestLinesOfAPipeComeAtOnce(t *testing.T) {
	in, out := io.Pipe()
	src := sources.Lines(sources.LinesConfig{Input: in})
	s := splitsOf(t, src)[0]
	for i := range 5 {
		r := open(t, src, s, s.Start)
		b := batchOf[string](10)
		cancelled, cancel := contextCancelled()
		if err := r.Read(cancelled, b); err == nil {
			t.Fatal("read with an ended context")
		}
		cancel()
		go fmt.Fprintf(out, "line %d\n", i)
		if err := r.Read(t.Context(), b); err != nil || len(b.Records) != 1 || b.Records[0].Value != fmt.Sprint("line ", i) {
			t.Fatalf("got %+v, %v", b.Records, err)
		}
		r.Close()
	}
	out.Close()
	r := open(t, src, s, s.Start)
	if err := r.Read(t.Context(), batchOf[string](1)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// TestLinesAgainstReference compares random texts, read in random batches with resumes, with a naive split.
func TestLinesAgainstReference(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 3))
	alphabet := []string{"a", "b", "\n", "\n", "\r", "\r\n", strings.Repeat("w", 50), strings.Repeat("v", 40_000)}
	for range 60 {
		var text strings.Builder
		for range rng.IntN(60) {
			text.WriteString(alphabet[rng.IntN(len(alphabet))])
		}
		path := write(t, text.String())
		var want []string
		for l := range strings.Lines(text.String()) {
			if cut, ok := strings.CutSuffix(l, "\n"); ok {
				l = cut
			}
			want = append(want, strings.TrimSuffix(l, "\r"))
		}
		cfg := sources.LinesConfig{Path: path, MaxLineBytes: 3 << 20}
		var got []string
		var at flow.Position
		for done := false; !done; {
			r, err := sources.Lines(cfg).Open(t.Context(), flow.Split{ID: path}, at)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for range 1 + rng.IntN(5) {
				b := batchOf[string](1 + rng.IntN(4))
				err := r.Read(t.Context(), b)
				for _, rec := range b.Records {
					got = append(got, rec.Value)
				}
				at = slices.Clone(b.Next)
				if done = errors.Is(err, io.EOF); done {
					break
				}
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			r.Close()
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: text %q gave %d lines, want %d", seed, text.String(), len(got), len(want))
		}
	}
}

func FuzzLinePosition(f *testing.F) {
	path := f.TempDir() + "/poem"
	if err := os.WriteFile(path, []byte(poem), 0o600); err != nil {
		f.Fatal(err)
	}
	_, _, at, err := readLines(sources.LinesConfig{Path: path}, nil, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(at))
	f.Fuzz(func(t *testing.T, position []byte) {
		lines, _, _, err := readLines(sources.LinesConfig{Path: path}, position, 3)
		if err == nil && len(lines) > len(poemLines) {
			t.Errorf("position %x gave %q", position, lines)
		}
	})
}

func BenchmarkLines(b *testing.B) {
	path := b.TempDir() + "/lines"
	if err := os.WriteFile(path, []byte(strings.Repeat(strings.Repeat("word ", 8)+"\n", 100_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	batch := batchOf[string](256)
	for n := 0; n < b.N; {
		r := open(b, sources.Lines(sources.LinesConfig{Path: path}), flow.Split{ID: path}, nil)
		for n < b.N {
			batch.Reset()
			err := r.Read(noContext, batch)
			n += len(batch.Records)
			if err != nil {
				break
			}
		}
		r.Close()
	}
}

// TestBatchOfLinesOfAChangedFileIsAnError: it would not have the records that it was planned with.
func TestBatchOfLinesOfAChangedFileIsAnError(t *testing.T) {
	path := write(t, poem)
	b, ok := sources.BounderOf(sources.Lines(sources.LinesConfig{Path: path}))
	if !ok {
		t.Fatal("lines of a file have no batches")
	}
	split := flow.Split{ID: path}
	until, err := b.Latest(t.Context(), split, nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one\ntwo\r\n", "ONE" + poem[3:]} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := b.OpenUntil(t.Context(), split, nil, until)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := untilError(t, r); errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "changed since") {
			t.Errorf("%q: %v", text, err)
		}
		r.Close()
	}
	if _, ok := sources.BounderOf(sources.Lines(sources.LinesConfig{Input: strings.NewReader(poem)})); ok {
		t.Error("lines of an input have batches")
	}
}
