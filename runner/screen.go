package runner

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// screen shows readings. draw, say and every are called by one goroutine; what is written to log may come from any.
type screen interface {
	every() time.Duration // time between two readings
	draw(reading)
	say(string)         // a line that stays
	log() io.Writer     // for the engine's log
	printed() io.Writer // for what the topology prints
}

// printer takes what a topology prints. The topology gets it when it is built, before there is a screen.
type printer struct {
	to   io.Writer
	used bool
}

// Write implements io.Writer.
func (p *printer) Write(b []byte) (int, error) { return p.to.Write(b) }

// screen picks how to show the job: not at all, in place on a terminal, or as lines.
func (p *program) screen(o *Options) screen {
	if o.quiet {
		return silent{p.stdout, p.stderr}
	}
	if f, ok := p.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &terminal{out: f, size: func() (int, int, error) { return term.GetSize(int(f.Fd())) }}
	}
	if o.stdout.used {
		return lines{p.stderr, p.stdout, p.stderr}
	}
	return lines{p.stdout, p.stdout, p.stderr}
}

// silent is for --quiet.
type silent struct{ stdout, stderr io.Writer }

func (silent) every() time.Duration { return time.Hour }
func (silent) draw(reading)         {}
func (silent) say(string)           {}
func (s silent) log() io.Writer     { return s.stderr }
func (s silent) printed() io.Writer { return s.stdout }

// lines prints a line for each reading: what a file or a pipe gets.
type lines struct{ readings, stdout, stderr io.Writer }

const (
	linesEvery = time.Second
	linesRows  = 5 // of each view on a line
)

func (lines) every() time.Duration { return linesEvery }
func (l lines) log() io.Writer     { return l.stderr }
func (l lines) printed() io.Writer { return l.stdout }
func (l lines) say(s string)       { fmt.Fprintln(l.stderr, s) }

func (l lines) draw(r reading) {
	var b strings.Builder
	b.WriteString(r.status())
	for _, v := range r.views {
		before := "; "
		for _, row := range v.table(linesRows).rows {
			b.WriteString(before)
			b.WriteString(printable(strings.Join(row, " ")))
			before = ", "
		}
	}
	fmt.Fprintln(l.readings, b.String())
}

// terminal draws each reading over the one before.
type terminal struct {
	out  io.Writer
	size func() (width, height int, err error)

	mu    sync.Mutex
	frame []string // on the terminal now
}

const (
	terminalEvery = 500 * time.Millisecond
	// fallbackWidth and fallbackHeight are the size of a terminal that does not tell.
	fallbackWidth, fallbackHeight = 80, 24
	viewRowsMax                   = 20
)

func (*terminal) every() time.Duration { return terminalEvery }
func (t *terminal) log() io.Writer     { return t }
func (t *terminal) printed() io.Writer { return t }

func (t *terminal) draw(r reading) {
	width, height, err := t.size()
	if err != nil || width <= 0 || height <= 0 {
		width, height = fallbackWidth, fallbackHeight
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was := len(t.frame)
	t.frame = r.frame(width, height)
	_, _ = io.WriteString(t.out, above(was)+t.text())
}

// say prints a line above the frame.
func (t *terminal) say(s string) { _, _ = t.Write([]byte(s + "\n")) }

// Write prints lines of the log above the frame.
func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := above(len(t.frame)) + strings.ReplaceAll(string(p), "\n", clearLine+"\n") + t.text()
	if _, err := io.WriteString(t.out, text); err != nil {
		return 0, err
	}
	return len(p), nil
}

const (
	clearLine  = "\x1b[K" // from the cursor to the end of the line
	clearBelow = "\x1b[J" // from the cursor to the end of the screen
)

// above moves the cursor to the first line of a frame of n lines.
func above(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r", n)
}

// text is the frame: each line clears what was behind it, so nothing flickers.
func (t *terminal) text() string {
	var b strings.Builder
	for _, line := range t.frame {
		b.WriteString(line + clearLine + "\n")
	}
	b.WriteString(clearBelow)
	return b.String()
}
