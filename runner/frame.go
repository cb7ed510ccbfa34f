package runner

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// frame is a reading as lines of at most width columns, at most height-1 of them, so that nothing scrolls.
func (r reading) frame(width, height int) []string {
	rate, latency := "-", "latency -"
	if r.perSecond >= 0 {
		rate = number(r.perSecond)
	}
	if r.measured {
		latency = fmt.Sprintf("latency p50 %s, p99 %s", latencyText(r.p50), latencyText(r.p99))
	}
	out := []string{
		fmt.Sprintf("%s  %s  %s", r.name, r.progress.Status, clock(r.running)),
		fmt.Sprintf("%s records/s   %s", rate, latency),
		fmt.Sprintf("epoch %d   restarts %d   state %s entries, %s", r.progress.Epoch, r.progress.Restarts, number(r.entries), bytesText(r.stateBytes)),
	}
	if r.deadLetters > 0 {
		out = append(out, fmt.Sprintf("dead letters %s", number(r.deadLetters)))
	}
	for i, v := range r.views {
		room := (height - 1 - len(out)) / (len(r.views) - i)
		if room < 3 { // an empty line, the heads, a row
			break
		}
		out = append(out, "")
		out = append(out, v.table(min(room-2, viewRowsMax)).lines()...)
	}
	for i := range out {
		out[i] = cut(out[i], width)
	}
	return out[:min(len(out), max(height-1, 1))]
}

// lines is the table with aligned columns.
func (t table) lines() []string {
	wide := make([]int, len(t.columns))
	all := append([][]string{t.columns}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			row[i] = printable(cell)
			wide[i] = max(wide[i], utf8.RuneCountInString(row[i]))
		}
	}
	out := make([]string, len(all))
	for n, row := range all {
		var b strings.Builder
		for i, cell := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			gap := strings.Repeat(" ", wide[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				b.WriteString(gap + cell)
			} else {
				b.WriteString(cell + gap)
			}
		}
		out[n] = strings.TrimRight(b.String(), " ")
	}
	return out
}

// cellMax keeps one long word from pushing the numbers off the screen.
const cellMax = 40

// printable keeps data from steering the terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
	return cut(s, cellMax)
}

// cut is the first width characters of s.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}
