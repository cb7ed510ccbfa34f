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

// An answer is judged by the probe it answers: what was sent behind that probe may be under way, and what an older one says is old.
func TestAnAnswerIsJudgedByItsProbe(t *testing.T) {
	s, r := told(t)
	first := probe(t, s)
	one := batch(t, s, "one")
	a, err := r.Receive(first)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.Clone(r.Grant(a.Probe))
	if err := s.Receive(old); err != nil {
		t.Fatal(err)
	}
	second := probe(t, s)
	if err := s.Receive(old); err != nil {
		t.Fatal(err)
	}
	for _, f := range [][]byte{one, second} {
		if a, err = r.Receive(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Receive(r.Grant(a.Probe)); err != nil {
		t.Fatal(err)
	}
	if !s.Unsettled() {
		t.Error("nobody has taken the batch, and no probe is due")
	}
}

// Grants hold totals: one that comes late takes nothing back.
func TestALateGrantTakesNothingBack(t *testing.T) {
	s, r := told(t)
	early := bytes.Clone(r.Grant(0))
	for range credits {
		if _, err := r.Receive(batch(t, s, "x")); err != nil {
			t.Fatal(err)
		}
		r.Taken()
	}
	for _, f := range [][]byte{r.Grant(0), early} {
		if err := s.Receive(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, credit := s.Next(); !credit || s.UnderWay() != 0 {
		t.Errorf("credit %t, %d batches under way; want credit and none", credit, s.UnderWay())
	}
}

// Frames whose checksum is right and whose content is not: of a sender with an error.
func TestFramesThatMakeNoSenseAreRefused(t *testing.T) {
	big, one := uint64(1), uint32(1)
	s, r := told(t)
	for _, c := range []struct {
		name   string
		frame  []byte
		sender bool // receives it
		cause  error
	}{
		{"batch without a piece", wire.Forge(thisLane, wire.Batch, big, one, 0*one), false, wire.ErrDamaged},
		{"batch 0", wire.Forge(thisLane, wire.Batch, 0*big, one, 0*one, "x"), false, wire.ErrDamaged},
		{"piece behind the end", wire.Forge(thisLane, wire.Batch, big, one, 0*one, "xy"), false, wire.ErrDamaged},
		{"offset that overflows", wire.Forge(thisLane, wire.Batch, big, one, ^one, "xy"), false, wire.ErrDamaged},
		{"probe 0", wire.Forge(thisLane, wire.Probe, 0*big, 0*big), false, wire.ErrDamaged},
		{"probe with more behind it", wire.Forge(thisLane, wire.Probe, 0*big, big, "x"), false, wire.ErrDamaged},
		{"kind of frame that is not known", wire.Forge(thisLane, 9, big), false, wire.ErrDamaged},
		{"grant to the receiver", wire.Forge(thisLane, wire.Grant, big, big, 2*big, 0*big), false, wire.ErrForeign},
		{"probe to the sender", wire.Forge(thisLane, wire.Probe, 0*big, big), true, wire.ErrForeign},
		{"batch to the sender", wire.Forge(thisLane, wire.Batch, big, one, 0*one, "x"), true, wire.ErrForeign},
		{"more taken than came", wire.Forge(thisLane, wire.Grant, 0*big, big, 9*big, 0*big), true, wire.ErrDamaged},
		{"more came than was granted", wire.Forge(thisLane, wire.Grant, big, 0*big, 0*big, 0*big), true, wire.ErrDamaged},
		{"grant of nothing", wire.Forge(thisLane, wire.Grant, 0*big, 0*big, 0*big, 0*big), true, wire.ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			if c.sender {
				err = s.Receive(c.frame)
			} else {
				_, err = r.Receive(c.frame)
			}
			wants(t, err, c.cause)
		})
	}
	if _, err := r.Receive(wire.Forge(thisLane, wire.Batch, big, 3*one, 0*one, "x")); err != nil {
		t.Fatal(err)
	}
	_, err := r.Receive(wire.Forge(thisLane, wire.Batch, big, 2*one, one, "x"))
	wants(t, err, wire.ErrDamaged, "of 3 bytes and of 2")
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
	r := wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, CreditBytes: 1 << 20, Credits: many, BatchBytesMax: 1 << 16})
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
	if grants != 4 { // by the number; a byte each is nothing
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
	frames := append(pieces(t, s, strings.Repeat("x", 3*pieceBytes)), batch(t, s, "two"))
	whole, again := 0, 0
	for i := range frames {
		for at := i; at >= 0; at-- { // each, and then all before it once more
			a, err := r.Receive(frames[at])
			if err != nil {
				t.Fatal(err)
			}
			if a.Seq > 0 {
				whole++
			}
			if at < i {
				again++
			}
		}
	}
	if whole != 2 || r.Repeated() != uint64(again) {
		t.Errorf("%d batches, %d repetitions; want 2 and %d", whole, r.Repeated(), again)
	}
}

// Once its buffers have grown, a lane allocates nothing for a batch of any number of pieces.
func TestNothingIsAllocatedPerBatch(t *testing.T) {
	s, r := told(t)
	buf := make([]byte, wire.HeadBytes+10*pieceBytes)
	toR := func(f []byte) error {
		a, err := r.Receive(f)
		if err == nil && a.Seq > 0 && r.Taken() {
			err = s.Receive(r.Grant(0))
		}
		return err
	}
	allocs := testing.AllocsPerRun(100, func() {
		if err := s.Send(buf, toR); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%.1f allocations for a batch, want none", allocs)
	}
}

func TestNoMoreThanTheCreditIsTaken(t *testing.T) {
	s, r := told(t)
	if err := s.Receive(wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, CreditBytes: 1 << 20, Credits: 100}).Grant(0)); err != nil {
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

// Credit is for batches and for bytes. A batch may be larger than all the credit: it goes when nothing else does.
func TestCreditIsAlsoForBytes(t *testing.T) {
	s := sending(thisLane)
	r := wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, Credits: 100, CreditBytes: creditBytes, BatchBytesMax: 1 << 16})
	if err := s.Receive(r.Grant(0)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, f := range pieces(t, s, strings.Repeat("x", creditBytes+1)) {
			if _, err := r.Receive(f); err != nil {
				t.Fatal(err)
			}
		}
		if _, credit := s.Next(); credit {
			t.Fatal("credit for more bytes than were granted")
		}
		if !r.Taken() {
			t.Fatal("all bytes of the credit are free again, and no grant is due")
		}
		if err := s.Receive(r.Grant(0)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Receive(batch(t, s, "small")); err != nil {
		t.Fatal(err)
	}
	if r.Taken() {
		t.Error("a grant is due for five bytes")
	}
}

// A sender that does not keep to the bytes is noticed, whatever grants it was sent meanwhile.
func TestNoMoreThanTheCreditInBytesIsTaken(t *testing.T) {
	s := wire.NewSending(wire.SendingConfig{Lane: thisLane, CreditBytes: 1 << 20, BatchBytesMax: 1 << 20, PieceBytesMax: 1 << 10})
	r := receiving(thisLane)
	for range 2 {
		if err := s.Receive(r.Grant(0)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Receive(batch(t, s, strings.Repeat("x", creditBytes))); err != nil {
			t.Fatal(err)
		}
		r.Taken()
		r.Grant(0)
	}
	if _, err := r.Receive(batch(t, s, strings.Repeat("x", creditBytes+1))); err != nil {
		t.Fatal(err)
	}
	r.Grant(0)
	_, err := r.Receive(batch(t, s, "small"))
	wants(t, err, wire.ErrCredit, "batch 4", "601 bytes", "credit is for 600")
}

func TestABatchHasALimit(t *testing.T) {
	small := wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, CreditBytes: 1 << 20, Credits: credits, BatchBytesMax: 10})
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
	s := wire.NewSending(wire.SendingConfig{Lane: thisLane, CreditBytes: 1 << 20, BatchBytesMax: 1 << 30, PieceBytesMax: pieceBytes})
	r := wire.NewReceiving(wire.ReceivingConfig{Lane: thisLane, CreditBytes: 1 << 20, Credits: 1, BatchBytesMax: 1 << 30})
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
