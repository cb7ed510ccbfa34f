package main

import "fmt"

// ledger compares an output with what must be in it. Of each key records are to be taken in the order in which the output has them.
type ledger struct {
	content
	want [][]int64 // by split and sequence: the count of the record
	seen [][]uint8
	last map[string]int64 // by key: the highest sequence so far
	tally
}

// tally is what is wrong with an output.
type tally struct {
	Records    int64    `json:"records"`
	Lost       int64    `json:"lost"`
	Duplicated int64    `json:"duplicated"`
	Reordered  int64    `json:"reordered"`
	Wrong      int64    `json:"wrong"` // never produced, or with another content or count
	Samples    []string `json:"samples,omitempty"`
}

func (t *tally) clean() bool { return t.Lost+t.Duplicated+t.Reordered+t.Wrong == 0 }

const samplesMax = 10

func (t *tally) note(n *int64, format string, args ...any) {
	*n++
	if len(t.Samples) < samplesMax {
		t.Samples = append(t.Samples, fmt.Sprintf(format, args...))
	}
}

// newLedger counts the input: so many records of each split.
func newLedger(c content, produced []int64) *ledger {
	l := &ledger{content: c, last: map[string]int64{}}
	counts := map[string]int64{}
	for split, n := range produced {
		want := make([]int64, n)
		for seq := range want {
			key := c.at(int32(split), int64(seq)).Key
			counts[key]++
			want[seq] = counts[key]
		}
		l.want, l.seen = append(l.want, want), append(l.seen, make([]uint8, n))
	}
	return l
}

// take takes the next record of the output; where says where it is.
func (l *ledger) take(c counted, where string) {
	l.Records++
	if c.Split < 0 || int(c.Split) >= len(l.want) || c.Seq < 0 || c.Seq >= int64(len(l.want[c.Split])) {
		l.note(&l.Wrong, "%s: %+v was never produced", where, c)
		return
	}
	if want := (counted{l.at(c.Split, c.Seq), l.want[c.Split][c.Seq]}); c != want {
		l.note(&l.Wrong, "%s: %+v, want %+v", where, c, want)
	}
	seen := &l.seen[c.Split][c.Seq]
	last, known := l.last[c.Key]
	switch {
	case *seen > 0:
		l.note(&l.Duplicated, "%s: %+v once more", where, c)
	case known && c.Seq < last:
		l.note(&l.Reordered, "%s: %+v behind sequence %d of its key", where, c, last)
	}
	*seen = min(*seen, 254) + 1
	l.last[c.Key] = max(last, c.Seq)
}

// finish counts what is missing.
func (l *ledger) finish() tally {
	for split, seen := range l.seen {
		for seq, n := range seen {
			if n == 0 {
				l.note(&l.Lost, "%+v with count %d is missing", l.at(int32(split), int64(seq)), l.want[split][seq])
			}
		}
	}
	return l.tally
}
