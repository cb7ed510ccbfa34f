package harness

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// scripted is a contestant that reports what each round's script says.
type scripted struct {
	name  string
	log   *[]string
	round int
	// per round
	perSecond []float64
	cpuNS     []float64
	p99US     []int64
	hash      uint64
	rate      float64
}

func (s *scripted) contestant() Contestant {
	return Contestant{
		Name: s.name,
		Throughput: func(context.Context) (Sample, error) {
			*s.log = append(*s.log, s.name)
			n := s.perSecond[s.round]
			return Sample{Records: int64(n), ElapsedNS: 1e9, CPUNS: int64(n * s.cpuNS[s.round]), Mallocs: uint64(n / 2)}, nil
		},
		Output: func(context.Context) (uint64, error) { return s.hash, nil },
		Latency: func(context.Context) (Sample, error) {
			h := NewHistogram()
			if err := h.RecordValues(s.p99US[s.round]*100, 98); err != nil { // p50 is a tenth of p99
				return Sample{}, err
			}
			if err := h.RecordValues(s.p99US[s.round]*1000, 2); err != nil {
				return Sample{}, err
			}
			s.round++
			return Sample{Records: 1000, ElapsedNS: 1e9, RatePerSecond: s.rate, Latency: h}, nil
		},
	}
}

// three rounds: in the second the base's p99 is above the bound.
func threeRounds(log *[]string) (base, subject *scripted) {
	base = &scripted{
		name: "floor", log: log, hash: 7, rate: 1000,
		perSecond: []float64{1000, 2000, 4000}, cpuNS: []float64{100, 100, 200}, p99US: []int64{100, 600, 200},
	}
	subject = &scripted{
		name: "millrace", log: log, hash: 7, rate: 1000,
		perSecond: []float64{900, 1000, 4000}, cpuNS: []float64{110, 150, 240}, p99US: []int64{150, 6000, 220},
	}
	return base, subject
}

func run3(t *testing.T, base, subject *scripted) (Report, error) {
	t.Helper()
	b := Benchmark{Name: "scripted", Base: base.contestant(), Subject: subject.contestant()}
	return b.Run(t.Context(), Options{Rounds: 3, Seconds: 1}, io.Discard)
}

func near(got Figure, want float64) bool { return math.Abs(float64(got)-want) <= 0.005*math.Abs(want) }

func TestRatiosArePerRound(t *testing.T) {
	var log []string
	base, subject := threeRounds(&log)
	rep, err := run3(t, base, subject)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		got  Figure
		want float64
	}{
		{"throughput", rep.Ratio.Throughput, 0.9}, // of 0.9, 0.5, 1
		{"cpu", rep.Ratio.CPU, 1.2},               // of 1.1, 1.5, 1.2
		{"p50", rep.Ratio.P50, 1.5},               // of 1.5, 10, 1.1
		{"p99", rep.Ratio.P99, 1.3},               // of 1.5, 1.1: the second round does not count
		{"p99 added", rep.P99AddedUS, 35},         // of 50, 20
		{"allocs", rep.AllocsPerRecord, 0.5},      // the subject's
		{"floor/s", rep.Figures["floor"].RecordsPerSecond, 2000},
		{"millrace p99", rep.Figures["millrace"].P99US, 220},
	} {
		if !near(c.got, c.want) {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
		}
	}
	if rep.Rounds != (Counted{Measured: 3, P50: 3, P99: 2}) {
		t.Errorf("rounds are %+v, want 3 measured, 3 for p50, 2 for p99", rep.Rounds)
	}
	if want := []string{"floor", "millrace", "millrace", "floor", "floor", "millrace"}; !slices.Equal(log, want) {
		t.Errorf("order is %v, want %v", log, want)
	}
}

func TestRoundOfUnsustainedBaseDoesNotCount(t *testing.T) {
	var log []string
	base, subject := threeRounds(&log)
	base.rate = 1100 // 1000 achieved
	rep, err := run3(t, base, subject)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Rounds.P50 != 0 || rep.Rounds.P99 != 0 || !math.IsNaN(float64(rep.Ratio.P50)) {
		t.Errorf("latency counts although the base did not keep to its schedule: %+v, p50 %v", rep.Rounds, rep.Ratio.P50)
	}
	if math.IsNaN(float64(rep.Ratio.Throughput)) {
		t.Error("throughput does not count, but has no schedule")
	}
}

func TestBenchmarkSaysWhichRoundsCountForP99(t *testing.T) {
	var log []string
	base, subject := threeRounds(&log)
	b := Benchmark{Name: "scripted", Base: base.contestant(), Subject: subject.contestant(), BaseP99Max: time.Second}
	rep, err := b.Run(t.Context(), Options{Rounds: 3, Seconds: 1}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Rounds.P99 != 3 {
		t.Errorf("%d rounds count for p99, want all 3: each is below a second", rep.Rounds.P99)
	}
}

func TestUnsustainedSubjectIsToldNotHidden(t *testing.T) {
	var log []string
	base, subject := threeRounds(&log)
	subject.rate = 1100
	rep, err := run3(t, base, subject)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Rounds.NotSustainedBy != 3 || rep.Rounds.P99 != 2 {
		t.Errorf("rounds are %+v, want 3 not sustained, and 2 counted for p99 all the same", rep.Rounds)
	}
	var text strings.Builder
	if err := rep.WriteTable(&text, "floor", "millrace"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "NOT SUSTAINED in 3 rounds") {
		t.Errorf("table does not tell:\n%s", &text)
	}
}

func TestUnequalOutputEndsTheBenchmark(t *testing.T) {
	var log []string
	base, subject := threeRounds(&log)
	subject.hash = 8
	_, err := run3(t, base, subject)
	if err == nil || !strings.Contains(err.Error(), "outputs differ") {
		t.Errorf("error is %v, want that outputs differ", err)
	}
}

func TestErrorNamesContestantAndPart(t *testing.T) {
	var log []string
	base, subject := threeRounds(&log)
	b := Benchmark{Name: "scripted", Base: base.contestant(), Subject: subject.contestant()}
	b.Subject.Latency = func(context.Context) (Sample, error) { return Sample{}, errors.New("no pipe") }
	_, err := b.Run(t.Context(), Options{Rounds: 3, Seconds: 1}, io.Discard)
	if want := `benchmark "scripted", round 1 of 3: millrace: latency: no pipe`; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{Rounds: 0, Seconds: 1}, {Rounds: 1, Seconds: 0}, {Rounds: 1, Seconds: math.NaN()}} {
		if err := o.validate(); err == nil {
			t.Errorf("options %+v are taken", o)
		}
	}
}
