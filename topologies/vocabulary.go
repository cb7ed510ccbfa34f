package topologies

import "strings"

// common are the most frequent words of a made-up text.
var common = strings.Fields(`the of and to in is that it was for on are with as his they be at one have this from or had by
	hot word but what some we can out other were all there when up use your how said an each she`)

// syllables spell the other words: each is a consonant and a vowel, so that a word reads in one way only.
var syllables = func() (all []string) {
	for _, consonant := range "bcdfgjklmnprstvz" {
		for _, vowel := range "aeiou" {
			all = append(all, string([]rune{consonant, vowel}))
		}
	}
	return all
}()

// appendWord appends the word of a rank, from 0: a common one, or the rank's digits in syllables, at least three of them and
// therefore none of the common words.
func appendWord(dst []byte, rank int64) []byte {
	if rank < int64(len(common)) {
		return append(dst, common[rank]...)
	}
	n := int64(len(syllables))
	rest, digits := rank-int64(len(common)), 0
	for digits < 3 || rest > 0 {
		dst = append(dst, syllables[rest%n]...)
		rest /= n
		digits++
	}
	return dst
}
