package harness

import (
	"encoding/json"
	"math"
	"testing"
)

func TestMedian(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		in   []float64
		want float64
		n    int
	}{
		{[]float64{3, 1, 2}, 2, 3},
		{[]float64{4, 1, 3, 2}, 2.5, 4},
		{[]float64{nan, 7, nan, 5, 9}, 7, 3},
		{[]float64{nan}, nan, 0},
		{nil, nan, 0},
	} {
		got, n := median(c.in)
		if n != c.n || got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("median(%v) = %v of %d values, want %v of %d", c.in, got, n, c.want, c.n)
		}
	}
}

func TestMedianKeepsItsInput(t *testing.T) {
	in := []float64{3, 1, 2}
	median(in)
	if in[0] != 3 || in[1] != 1 || in[2] != 2 {
		t.Errorf("median reordered its input to %v", in)
	}
}

func TestFigureJSON(t *testing.T) {
	for _, c := range []struct {
		in   float64
		want string
	}{
		{0.9876543219, "0.987654"},
		{15_800_000.4, "15800000"},
		{0, "0"},
		{1.0e-7, "1e-07"},
		{math.NaN(), "null"},
		{math.Inf(1), "null"},
	} {
		got, err := json.Marshal(Figure(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("figure %v is written as %s (%v), want %s", c.in, got, err, c.want)
		}
	}
	var back Figure
	if err := json.Unmarshal([]byte("null"), &back); err != nil || !math.IsNaN(float64(back)) {
		t.Errorf("null is read as %v (%v), want NaN", back, err)
	}
	if err := json.Unmarshal([]byte(`"x"`), &back); err == nil {
		t.Error("a string is read as a figure")
	}
}

func TestParseBusy(t *testing.T) {
	stat := "cpu  100 10 50 9999 7 1 2 3 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"
	if got, want := parseBusyNS(stat), (100+10+50+1+2+3)*1e7; got != want {
		t.Errorf("busy time is %v ns, want %v", got, want)
	}
	for _, bad := range []string{"", "cpu 1 2", "intr 1 2 3 4 5 6 7 8 9"} {
		if got := parseBusyNS(bad); !math.IsNaN(got) {
			t.Errorf("busy time of %q is %v, want NaN", bad, got)
		}
	}
}

func TestCPUModel(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: AMD EPYC 9R45\nflags: x\n"); got != "AMD EPYC 9R45" {
		t.Errorf("model is %q", got)
	}
	if got := cpuModel("nothing"); got != "unknown" {
		t.Errorf("model is %q, want unknown", got)
	}
}

func TestSample(t *testing.T) {
	s := Sample{Records: 1000, ElapsedNS: 1e8, CPUNS: 2e8, Mallocs: 10, RatePerSecond: 10_050}
	if got := s.PerSecond(); got != 10_000 {
		t.Errorf("%v records/s, want 10000", got)
	}
	if got := s.PerCoreSecond(); got != 5000 {
		t.Errorf("%v records/s/core, want 5000", got)
	}
	if got := s.CPUPerRecordNS(); got != 2e5 {
		t.Errorf("%v ns/record, want 200000", got)
	}
	if got := s.AllocsPerRecord(); got != 0.01 {
		t.Errorf("%v allocs/record, want 0.01", got)
	}
	if !s.Sustained() {
		t.Error("10000 of 10050 records/s (99.50 %) do not count as sustained")
	}
	s.RatePerSecond = 10_060
	if s.Sustained() {
		t.Error("10000 of 10060 records/s (99.40 %) count as sustained")
	}
}
