package harness

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func published(t *testing.T) (dir, text string) {
	t.Helper()
	var log []string
	base, subject := threeRounds(&log)
	b := Benchmark{
		Name: "scripted", Base: base.contestant(), Subject: subject.contestant(),
		Notes: func(Report) []string { return []string{"a note"} },
	}
	o := Options{Rounds: 3, Seconds: 1, JSON: true, Out: filepath.Join(t.TempDir(), "made")}
	rep, err := b.Run(t.Context(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.publish(&out, rep, o); err != nil {
		t.Fatal(err)
	}
	return o.Out, out.String()
}

func TestLastLineIsJSON(t *testing.T) {
	_, text := published(t)
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var rep struct {
		Ratio           map[string]*float64
		AllocsPerRecord *float64 `json:"allocs_per_record"`
		Figures         map[string]map[string]*float64
		PerRound        []struct{ Ratio map[string]*float64 } `json:"per_round"`
		Machine         struct {
			CPU, Go, Kernel string
			Cores           int
		}
		Commit string
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &rep); err != nil {
		t.Fatalf("last line: %v\n%s", err, lines[len(lines)-1])
	}
	for _, name := range []string{"throughput", "cpu", "p50", "p99"} {
		if rep.Ratio[name] == nil {
			t.Errorf("ratio.%s is absent", name)
		}
	}
	if rep.AllocsPerRecord == nil || *rep.AllocsPerRecord != 0.5 {
		t.Errorf("allocs_per_record is %v, want 0.5", rep.AllocsPerRecord)
	}
	if rep.Figures["floor"]["records_per_second"] == nil || rep.Figures["millrace"]["p99_us"] == nil {
		t.Errorf("absolute figures are absent: %v", rep.Figures)
	}
	if len(rep.PerRound) != 3 || rep.PerRound[1].Ratio["p99"] != nil {
		t.Errorf("per-round values are %v, want 3 with a null p99 in the second", rep.PerRound)
	}
	if rep.Machine.CPU == "" || rep.Machine.Cores < 1 || !strings.HasPrefix(rep.Machine.Go, "go") || rep.Machine.Kernel == "" || rep.Commit == "" {
		t.Errorf("machine %+v, commit %q: something is empty", rep.Machine, rep.Commit)
	}
}

func TestTableHasFiguresRatiosAndNotes(t *testing.T) {
	_, text := published(t)
	for _, want := range []string{"records/s ", "0.900×", "1.300×", "p99 from the 2 whose base was below 500.0 µs", "a note", "machine: "} {
		if !strings.Contains(text, want) {
			t.Errorf("table lacks %q:\n%s", want, text)
		}
	}
}

func TestPlotsAreValid(t *testing.T) {
	dir, text := published(t)
	f, err := os.Open(filepath.Join(dir, "scripted.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("png: %v", err)
	}
	if b := img.Bounds(); b.Dx() < 400 || b.Dy() < 200 {
		t.Errorf("png is %v, want a readable size", b)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "scripted.svg"))
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("svg: %v", err)
		}
	}
	for _, want := range []string{"<svg", ">90%<", "floor", "millrace"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("svg lacks %q", want)
		}
	}
	if !strings.Contains(text, "plot: "+filepath.Join(dir, "scripted.svg")) {
		t.Errorf("output does not name the plot:\n%s", text)
	}
}

func TestCurveEndsWhereSamplesDo(t *testing.T) {
	h := NewHistogram()
	for v := int64(1); v <= 1000; v++ {
		if err := h.RecordValue(v * 1000); err != nil {
			t.Fatal(err)
		}
	}
	xys := curve(h)
	if last := xys[len(xys)-1]; last.X > 100 || last.X < 90 {
		t.Errorf("curve of 1000 samples ends at 1/(1-q) = %v, want 100: ten samples lie beyond p99", last.X)
	}
	for i := 1; i < len(xys); i++ {
		if xys[i].Y < xys[i-1].Y {
			t.Fatalf("curve falls at point %d: %v after %v", i, xys[i], xys[i-1])
		}
	}
}
