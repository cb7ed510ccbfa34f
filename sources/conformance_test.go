package sources_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/sourcetest"
)

func square(i int64) int64 { return i * i }

func TestGeneratorConforms(t *testing.T) {
	for _, perSecond := range []int64{0, 7, 1000} {
		t.Run(fmt.Sprintf("%d per second", perSecond), func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Case[int64]{
				New: func(*testing.T) sources.Source[int64] {
					return sources.Generate(sources.GeneratorConfig{Splits: 3, PerSecond: perSecond, Count: 20}, square)
				},
				Want: map[string][]int64{
					"0": {0, 9, 36, 81, 144, 225, 324},
					"1": {1, 16, 49, 100, 169, 256, 361},
					"2": {4, 25, 64, 121, 196, 289},
				},
				Clocked: perSecond > 0,
			})
		})
	}
}

func TestSliceConforms(t *testing.T) {
	words := strings.Fields("to be or not to be that is the question")
	sourcetest.Run(t, sourcetest.Case[string]{
		New:  func(*testing.T) sources.Source[string] { return sources.Slice(words...) },
		Want: map[string][]string{"slice": words},
	})
	sourcetest.Run(t, sourcetest.Case[string]{
		New:  func(*testing.T) sources.Source[string] { return sources.Slice[string]() },
		Want: map[string][]string{"slice": nil},
	})
}

func TestSeqConforms(t *testing.T) {
	words := strings.Fields("to be or not to be that is the question")
	sourcetest.Run(t, sourcetest.Case[string]{
		New:  func(*testing.T) sources.Source[string] { return sources.Seq(slices.Values(words)) },
		Want: map[string][]string{"seq": words},
	})
}

func TestChannelConforms(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case[int]{
		New: func(*testing.T) sources.Source[int] {
			ch := make(chan int, 5)
			for i := range 5 {
				ch <- i
			}
			close(ch)
			return sources.Channel(ch)
		},
		Want:     map[string][]int{"channel": {0, 1, 2, 3, 4}},
		Idle:     func(*testing.T) sources.Source[int] { return sources.Channel(make(chan int)) },
		OnlyOnce: true,
	})
}

const poem = "one\ntwo\r\n\nfour\n  five  \nsix"

var poemLines = []string{"one", "two", "", "four", "  five  ", "six"}

func write(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "poem.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLinesConform(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 97)+"\n", 5000)
	for name, text := range map[string]string{"no last end": poem, "last end": poem + "\n", "empty": "", "large": long} {
		t.Run(name, func(t *testing.T) {
			if name == "large" {
				text = text[:98*400]
			}
			path := write(t, text)
			want := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r", ""), "\n"), "\n")
			if text == "" {
				want = nil
			}
			sourcetest.Run(t, sourcetest.Case[string]{
				New: func(*testing.T) sources.Source[string] {
					return sources.Lines(sources.LinesConfig{Path: path})
				},
				Want: map[string][]string{path: want},
			})
		})
	}
}

func TestLinesOfAnInputConform(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case[string]{
		New: func(*testing.T) sources.Source[string] {
			return sources.Lines(sources.LinesConfig{Input: strings.NewReader(poem)})
		},
		Want: map[string][]string{"input": poemLines},
		Idle: func(t *testing.T) sources.Source[string] {
			r, w := io.Pipe()
			t.Cleanup(func() { w.Close() })
			return sources.Lines(sources.LinesConfig{Input: r})
		},
		OnlyOnce: true,
	})
}

func TestThrottleConforms(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case[string]{
		New: func(*testing.T) sources.Source[string] {
			return sources.Throttle(sources.Seq(slices.Values(poemLines)), 100_000)
		},
		Want: map[string][]string{"seq": poemLines},
		Idle: nil,
	})
	sourcetest.Run(t, sourcetest.Case[string]{
		New: func(*testing.T) sources.Source[string] {
			return sources.Throttle(sources.Slice(poemLines...), 100)
		},
		Want: map[string][]string{"slice": poemLines},
	})
}

func TestFirstConforms(t *testing.T) {
	for name, src := range map[string]func() sources.Source[string]{
		"slice": func() sources.Source[string] { return sources.Slice(poemLines...) },
		"seq":   func() sources.Source[string] { return sources.Seq(slices.Values(poemLines)) },
	} {
		for n := range len(poemLines) + 2 {
			t.Run(fmt.Sprintf("%d of %s", n, name), func(t *testing.T) {
				sourcetest.Run(t, sourcetest.Case[string]{
					New:  func(*testing.T) sources.Source[string] { return sources.First(src(), int64(n)) },
					Want: map[string][]string{name: poemLines[:min(n, len(poemLines))]},
				})
			})
		}
	}
	sourcetest.Run(t, sourcetest.Case[int]{
		New: func(*testing.T) sources.Source[int] {
			ch := make(chan int, 3)
			ch <- 1
			ch <- 2
			ch <- 3
			return sources.First(sources.Channel(ch), 2)
		},
		Want:     map[string][]int{"channel": {1, 2}},
		Idle:     func(*testing.T) sources.Source[int] { return sources.First(sources.Channel(make(chan int)), 2) },
		OnlyOnce: true,
	})
}

func TestTwoWrappersConform(t *testing.T) {
	text := write(t, string(bytes.Repeat([]byte("line\n"), 9)))
	sourcetest.Run(t, sourcetest.Case[string]{
		New: func(*testing.T) sources.Source[string] {
			return sources.Throttle(sources.First(sources.Lines(sources.LinesConfig{Path: text}), 5), 10_000)
		},
		Want: map[string][]string{text: slices.Repeat([]string{"line"}, 5)},
	})
}
