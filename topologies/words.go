package topologies

import (
	"unicode"
	"unicode/utf8"
)

// SplitWords emits the maximal runs of characters that are not space. Bytes that are not UTF-8 are no space. The words share
// the line's memory.
func SplitWords(line string, emit func(string)) {
	begin := -1 // of the word in hand
	for i := 0; i < len(line); {
		size, space := 1, false
		if c := line[i]; c < utf8.RuneSelf {
			space = c == ' ' || '\t' <= c && c <= '\r'
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(line[i:])
			space = unicode.IsSpace(r)
		}
		switch {
		case space && begin >= 0:
			emit(line[begin:i])
			begin = -1
		case !space && begin < 0:
			begin = i
		}
		i += size
	}
	if begin >= 0 {
		emit(line[begin:])
	}
}

// Lower maps each character to lower case and keeps bytes that are not UTF-8. A word that has nothing to map is returned as
// it is.
func Lower(word string) string {
	for i := 0; i < len(word); {
		c := word[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				return lowerFrom(word, i)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(word[i:])
		if r != utf8.RuneError && unicode.ToLower(r) != r {
			return lowerFrom(word, i)
		}
		i += size
	}
	return word
}

// lowerFrom maps what is behind the first i bytes, which need no mapping.
func lowerFrom(word string, i int) string {
	out := append(make([]byte, 0, len(word)+utf8.UTFMax), word[:i]...)
	for i < len(word) {
		r, size := utf8.DecodeRuneInString(word[i:])
		if r == utf8.RuneError {
			out = append(out, word[i:i+size]...)
		} else {
			out = utf8.AppendRune(out, unicode.ToLower(r))
		}
		i += size
	}
	return string(out)
}
