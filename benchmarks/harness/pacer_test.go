package harness

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	ServePacer()
	goleak.VerifyTestMain(m)
}

func TestPacerTicks(t *testing.T) {
	p, err := StartPacer(200 * time.Microsecond)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := p.Wait(); err != nil {
			t.Fatalf("tick %d: %v", i, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil {
		t.Error("wait after close returns without an error")
	}
}

func TestCloseEndsWait(t *testing.T) {
	p, err := StartPacer(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() { waited <- p.Wait() }()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err == nil {
		t.Error("wait returns without an error although no tick came")
	}
}

func TestClockOnlyGrows(t *testing.T) {
	last := NowNS()
	for range 1000 {
		now := NowNS()
		if now < last {
			t.Fatalf("clock went from %d to %d", last, now)
		}
		last = now
	}
	if d := time.Since(time.Unix(0, last)); d < -time.Minute || d > time.Minute {
		t.Errorf("clock is %v off the wall clock", d)
	}
}

func TestWatchMeasuresThisProcess(t *testing.T) {
	var calls int64
	s, err := Watch(t.Context(), 20*time.Millisecond, func() int64 { calls++; return calls * 1000 })
	if err != nil {
		t.Fatal(err)
	}
	if s.Records != 1000 || s.ElapsedNS < 20e6 {
		t.Errorf("sample is %+v, want 1000 records in 20 ms or more", s)
	}
	u := StartUsage()
	sink := make([]*int, 1000)
	for i := range sink {
		sink[i] = new(int)
	}
	if s := u.Until(int64(len(sink))); s.AllocsPerRecord() < 1 || s.CPUNS <= 0 {
		t.Errorf("sample is %+v, want an allocation per record and some processor time", s)
	}
}
