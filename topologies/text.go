package topologies

import (
	"fmt"
	"math"
	"math/bits"
)

// Text is made-up text: line i depends on i and the fields alone, and costs no memory however many words there are.
type Text struct {
	Words  int64  // size of the vocabulary
	Choice Choice // how words are chosen
}

// Choice says how the words of a text are chosen.
type Choice uint8

const (
	// Zipf takes the word of rank r in proportion to 1/r, as in real text.
	Zipf Choice = iota
	// Uniform takes all words alike.
	Uniform
	// RoundRobin takes one word after the other: each comes as often as any other.
	RoundRobin
)

var choices = []string{"zipf", "uniform", "round-robin"}

// MarshalText implements encoding.TextMarshaler.
func (c Choice) MarshalText() ([]byte, error) { return []byte(choices[c]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Choice) UnmarshalText(text []byte) error {
	for i, name := range choices {
		if string(text) == name {
			*c = Choice(i)
			return nil
		}
	}
	return fmt.Errorf("want one of %q", choices)
}

// LineWords is the number of words in a line.
const LineWords = 8

// Line is line i of the text.
func (t Text) Line(i int64) string {
	var buf [16 * LineWords]byte
	line := buf[:0]
	logWords := math.Log(float64(t.Words + 1))
	for j := range int64(LineWords) {
		if j > 0 {
			line = append(line, ' ')
		}
		line = appendWord(line, t.rank(i*LineWords+j, logWords))
	}
	if c := line[0]; 'a' <= c && c <= 'z' && i%4 == 0 {
		line[0] = c - 'a' + 'A' // a sentence begins
	}
	return string(line)
}

// rank is the rank of the k-th word of the text, from 0. logWords is the logarithm of the vocabulary's size plus one.
func (t Text) rank(k int64, logWords float64) int64 {
	switch t.Choice {
	case RoundRobin:
		return k % t.Words
	case Uniform:
		hi, _ := bits.Mul64(mix(uint64(k)), uint64(t.Words))
		return int64(hi)
	}
	u := float64(mix(uint64(k))>>11) / (1 << 53)
	return min(int64(math.Exp(u*logWords))-1, t.Words-1)
}

// mix is the finalizer of splitmix64: a hash of k that passes for random.
func mix(k uint64) uint64 {
	k = (k + 1) * 0x9e3779b97f4a7c15
	k = (k ^ k>>30) * 0xbf58476d1ce4e5b9
	k = (k ^ k>>27) * 0x94d049bb133111eb
	return k ^ k>>31
}
