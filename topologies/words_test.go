package topologies_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/millrace-io/millrace/topologies"
)

func words(line string) (all []string) {
	topologies.SplitWords(line, func(w string) { all = append(all, topologies.Lower(w)) })
	return all
}

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                                nil,
		" \t\v\f\r\n ":                    nil,
		"one":                             {"one"},
		" To be,  or NOT\tto be ":         {"to", "be,", "or", "not", "to", "be"},
		"a\u00a0b\u2003c\u0085d\u3000e":   {"a", "b", "c", "d", "e"},
		"ÀÉ Straße ΑΣ":                    {"àé", "straße", "ασ"},
		"A\xffB \xc3 X\x85Y \xe2\x80 end": {"a\xffb", "\xc3", "x\x85y", "\xe2\x80", "end"},
		"a\u200bb":                        {"a\u200bb"}, // a zero-width space is no space to Unicode
		"\ufffdA":                         {"\ufffda"},
	} {
		if got := words(line); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// The standard library agrees on valid text; on the rest it agrees about where words are.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"", "A b", "\xff \xc3\x28", "À\u2028É", "ǅ İ ẞ K"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var split []string
		topologies.SplitWords(line, func(w string) { split = append(split, w) })
		if want := strings.Fields(line); !slices.Equal(split, want) {
			t.Fatalf("%q: got %q, want %q", line, split, want)
		}
		for _, w := range split {
			got := topologies.Lower(w)
			if utf8.ValidString(w) && got != strings.ToLower(w) {
				t.Fatalf("%q: got %q, want %q", w, got, strings.ToLower(w))
			}
			if strings.ToValidUTF8(got, "\ufffd") != strings.ToLower(strings.ToValidUTF8(w, "\ufffd")) {
				t.Fatalf("%q: got %q", w, got)
			}
		}
	})
}

func TestWordsDoNotAllocate(t *testing.T) {
	n := 0
	count := func(w string) { n += len(topologies.Lower(w)) }
	line := "to be or not to be, señor\tthat is the \xff question"
	if allocs := testing.AllocsPerRun(100, func() { topologies.SplitWords(line, count) }); allocs != 0 {
		t.Fatalf("%v allocations a line, want 0", allocs)
	}
}

func TestTextIsMadeOfItsVocabulary(t *testing.T) {
	const size = 300_000
	text := topologies.Text{Words: size, Choice: topologies.RoundRobin}
	seen := map[string]int{}
	for i := range int64(size / topologies.LineWords) {
		all := words(text.Line(i))
		if len(all) != topologies.LineWords {
			t.Fatalf("line %d has %d words: %q", i, len(all), text.Line(i))
		}
		for _, w := range all {
			seen[w]++
		}
	}
	if len(seen) != size {
		t.Fatalf("%d different words, want %d: two ranks have the same word", len(seen), size)
	}
}

func TestTextFollowsItsChoice(t *testing.T) {
	const lines, size = 20_000, 1000
	for _, c := range []struct {
		choice   topologies.Choice
		from, to float64 // share of the most frequent word
	}{{topologies.Zipf, 0.08, 0.12}, {topologies.Uniform, 0.001, 0.0015}, {topologies.RoundRobin, 0.001, 0.001}} {
		text := topologies.Text{Words: size, Choice: c.choice}
		seen, most := map[string]int{}, 0
		for i := range int64(lines) {
			for _, w := range words(text.Line(i)) {
				seen[w]++
				most = max(most, seen[w])
			}
		}
		share := float64(most) / (lines * topologies.LineWords)
		if share < c.from || share > c.to || len(seen) > size {
			t.Errorf("choice %d: the most frequent word has a share of %.4f, want %.4f to %.4f; %d words of %d", c.choice, share, c.from, c.to, len(seen), size)
		}
	}
	huge := topologies.Text{Words: 20_000_000}
	if line := huge.Line(7); line != (topologies.Text{Words: 20_000_000}).Line(7) || len(words(line)) != topologies.LineWords {
		t.Errorf("line 7 is %q and changes", line)
	}
}
