package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/mailbox/wire"
)

// batch is the one frame of a batch with this body.
func batch(t testing.TB, s *wire.Sending, body string) (frame []byte) {
	t.Helper()
	for i, f := range pieces(t, s, body) {
		if i > 0 {
			t.Fatalf("%d bytes take more than one frame", len(body))
		}
		frame = f
	}
	return frame
}

func pieces(t testing.TB, s *wire.Sending, body string) (frames [][]byte) {
	t.Helper()
	err := s.Send(append(make([]byte, wire.HeadBytes), body...), func(f []byte) error {
		frames = append(frames, bytes.Clone(f))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

func probe(t testing.TB, s *wire.Sending) []byte {
	t.Helper()
	f, err := s.Probe()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(f)
}

// told is a lane whose sending end has its first grant.
func told(t testing.TB) (*wire.Sending, *wire.Receiving) {
	t.Helper()
	s, r := sending(thisLane), receiving(thisLane)
	if err := s.Receive(r.Grant(0)); err != nil {
		t.Fatal(err)
	}
	return s, r
}

// wants checks that err is of the cause and names the lane and all that is in says.
func wants(t *testing.T, err, cause error, says ...string) {
	t.Helper()
	if !errors.Is(err, cause) {
		t.Fatalf("error %v, want %v", err, cause)
	}
	for _, s := range append(says, thisLane.Name) {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %q does not say %q", err, s)
		}
	}
}

func TestALostBatchIsNoticedByTheNext(t *testing.T) {
	s, r := told(t)
	batch(t, s, "one")
	_, err := r.Receive(batch(t, s, "two"))
	wants(t, err, wire.ErrLost, "batch 2", "batch 1")
}

func TestALostLastBatchIsNoticedByAProbe(t *testing.T) {
	s, r := told(t)
	batch(t, s, "one")
	_, err := r.Receive(probe(t, s))
	wants(t, err, wire.ErrLost, "1 batches were sent, 0")
}

func TestALostLastPieceIsNoticedByAProbe(t *testing.T) {
	s, r := told(t)
	frames := pieces(t, s, strings.Repeat("x", 2*pieceBytes))
	for _, f := range frames[:len(frames)-1] {
		if a, err := r.Receive(f); err != nil || a.Seq > 0 {
			t.Fatalf("%+v, %v; want no batch yet", a, err)
		}
	}
	_, err := r.Receive(probe(t, s))
	wants(t, err, wire.ErrLost, "1 batches were sent, 0")
}

// The receiver may have noticed nothing, being another process than the one that was sent to: the sender sees it in the answer.
func TestAnAnswerThatMissesABatchBreaksTheSender(t *testing.T) {
	s, r := told(t)
	if _, err := r.Receive(batch(t, s, "one")); err != nil {
		t.Fatal(err)
	}
	batch(t, s, "two")
	probe(t, s)
	wants(t, s.Receive(r.Grant(1)), wire.ErrLost, "1 of 2")
}

// An answer is judged by the probe it answers: what was sent behind that probe may be under way.
func TestAnAnswerIsJudgedByItsProbe(t *testing.T) {
	s, r := told(t)
	early := probe(t, s)
	one := batch(t, s, "one")
	late := probe(t, s)
	for _, f := range [][]byte{early, one, late} {
		a, err := r.Receive(f)
		if err == nil && a.Probe > 0 {
			err = s.Receive(r.Grant(a.Probe))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !s.Unsettled() {
		t.Error("nobody has taken the batch, and no probe is due")
	}
}

// A slow consumer answers probes: however many, that is no loss and no silence.
func TestBackPressureIsNoLoss(t *testing.T) {
	s, r := told(t)
	for range credits {
		if _, err := r.Receive(batch(t, s, "x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, credit := s.Next(); credit {
		t.Fatal("credit for more than was granted")
	}
	for range 100 {
		a, err := r.Receive(probe(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Receive(r.Grant(a.Probe)); err != nil {
			t.Fatal(err)
		}
	}
	if _, credit := s.Next(); credit || s.UnderWay() != credits {
		t.Errorf("%d batches under way, credit %t; want %d and none", s.UnderWay(), credit, credits)
	}
}

func TestALostGrantHealsWithTheNext(t *testing.T) {
	s, r := told(t)
	for range credits {
		if _, err := r.Receive(batch(t, s, "x")); err != nil {
			t.Fatal(err)
		}
	}
	for range credits {
		r.Taken()
		r.Grant(0) // lost
	}
	a, err := r.Receive(probe(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Receive(r.Grant(a.Probe)); err != nil {
		t.Fatal(err)
	}
	if _, credit := s.Next(); !credit || s.Unsettled() {
		t.Errorf("credit %t, unsettled %t; want credit and all settled", credit, s.Unsettled())
	}
}

func TestSilenceHasALimit(t *testing.T) {
	s, r := told(t)
	batch(t, s, "one")
	for range 5 {
		probe(t, s)
	}
	_, err := s.Probe()
	wants(t, err, wire.ErrSilent, "5 probes", "1 batches sent, 0")
	if err := s.Receive(r.Grant(0)); err != nil {
		t.Fatal(err)
	}
	probe(t, s)
}

func TestGrantsComeByTheQuarter(t *testing.T) {
	const many = 16
	r := wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, Credits: many, BatchBytesMax: 1 << 16})
	s := sending(thisLane)
	if err := s.Receive(r.Grant(0)); err != nil {
		t.Fatal(err)
	}
	grants := 0
	for range many {
		if _, err := r.Receive(batch(t, s, "x")); err != nil {
			t.Fatal(err)
		}
		if r.Taken() {
			grants++
			r.Grant(0)
		}
	}
	if grants != 4 {
		t.Errorf("%d grants for %d batches of %d credits, want 4", grants, many, many)
	}
}

func TestWhatIsNotOfTheLaneIsRefused(t *testing.T) {
	older, newer, other := thisLane, thisLane, thisLane
	older.Attempt--
	newer.Attempt++
	other.Name = "job/3/count/0-2"
	for _, c := range []struct {
		name  string
		from  wire.Lane
		cause error
		says  string
	}{
		{"older attempt", older, nil, ""},
		{"newer attempt", newer, wire.ErrAttempt, "attempt 4 came to attempt 3"},
		{"another lane", other, wire.ErrForeign, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r := told(t)
			toS := s.Receive(receiving(c.from).Grant(0))
			_, toR := r.Receive(probe(t, sending(c.from)))
			if c.cause == nil {
				if toS != nil || toR != nil || s.Stale() != 1 || r.Stale() != 1 {
					t.Errorf("%v, %v, %d and %d counted; want dropped and counted", toS, toR, s.Stale(), r.Stale())
				}
				return
			}
			wants(t, toS, c.cause, c.says)
			wants(t, toR, c.cause, c.says)
		})
	}
}

func TestAnotherVersionIsRefused(t *testing.T) {
	s, r := told(t)
	f := batch(t, s, "one")
	f[3]++
	_, err := r.Receive(f)
	wants(t, err, wire.ErrVersion, "version 2", "speaks 1")
}

func TestASecondSenderIsNoticed(t *testing.T) {
	s, r := told(t)
	second, _ := told(t)
	if _, err := r.Receive(batch(t, s, "one")); err != nil {
		t.Fatal(err)
	}
	_, err := r.Receive(batch(t, second, "eins"))
	wants(t, err, wire.ErrRepeated, "batch 1 ", "batch 2 ")
	wants(t, sending(thisLane).Receive(r.Grant(0)), wire.ErrForeign, "batch 1", "0 were sent")
}

func TestARepeatedFrameIsDroppedAndCounted(t *testing.T) {
	s, r := told(t)
	frames := append(pieces(t, s, strings.Repeat("x", 2*pieceBytes)), batch(t, s, "two"))
	whole := 0
	for i := range frames {
		for _, f := range frames[max(0, i-1) : i+1] { // each but the last comes again behind its successor
			a, err := r.Receive(f)
			if err != nil {
				t.Fatal(err)
			}
			if a.Seq > 0 {
				whole++
			}
		}
	}
	if whole != 2 || r.Repeated() != uint64(len(frames)-1) {
		t.Errorf("%d batches, %d repetitions; want 2 and %d", whole, r.Repeated(), len(frames)-1)
	}
}

func TestNoMoreThanTheCreditIsTaken(t *testing.T) {
	s, r := told(t)
	if err := s.Receive(wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, Credits: 100}).Grant(0)); err != nil {
		t.Fatal(err)
	}
	for range credits {
		if _, err := r.Receive(batch(t, s, "x")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Receive(batch(t, s, "x"))
	wants(t, err, wire.ErrCredit, "batch 5", "to 4")
}

func TestABatchHasALimit(t *testing.T) {
	small := wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, Credits: credits, BatchBytesMax: 10})
	s, _ := told(t)
	small.Grant(0)
	_, err := small.Receive(batch(t, s, "eleven byte"))
	wants(t, err, wire.ErrTooLarge, "batch 1", "11 bytes", "limit is 10")

	err = s.Send(make([]byte, wire.HeadBytes+1<<16+1), func([]byte) error {
		t.Error("a batch beyond the limit was published")
		return nil
	})
	wants(t, err, wire.ErrTooLarge, "batch 2", "65537 bytes", "limit is 65536")
}

// A frame that claims to be the start of a large batch gets no memory for what has not come.
func TestNoMemoryIsGivenInAdvance(t *testing.T) {
	s := wire.NewSending(wire.SendingConfig{Lane: thisLane, BatchBytesMax: 1 << 30, PieceBytesMax: pieceBytes})
	r := wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, Credits: 1, BatchBytesMax: 1 << 30})
	if err := s.Receive(r.Grant(0)); err != nil {
		t.Fatal(err)
	}
	var first []byte
	stop := errors.New("enough")
	_ = s.Send(make([]byte, 64<<20), func(f []byte) error {
		first = bytes.Clone(f)
		return stop
	})
	allocated := allocatedBy(func() {
		if _, err := r.Receive(first); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > allocationMax(len(first)) {
		t.Errorf("%d bytes allocated for a frame of %d", allocated, len(first))
	}
}

// No single bit of a frame can flip without being noticed.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	s, r := told(t)
	toR := [][]byte{batch(t, s, "a batch"), probe(t, s)}
	for i, frame := range append(toR, bytes.Clone(r.Grant(0))) {
		for bit := range 8 * len(frame) {
			damaged := bytes.Clone(frame)
			damaged[bit/8] ^= 1 << (bit % 8)
			var err error
			if i < len(toR) {
				_, err = r.Receive(damaged)
			} else {
				err = s.Receive(damaged)
			}
			if !errors.Is(err, wire.ErrDamaged) && !errors.Is(err, wire.ErrVersion) {
				t.Fatalf("frame %d, bit %d: %v", i, bit, err)
			}
		}
	}
}
