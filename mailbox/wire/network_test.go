package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/mailbox/wire"
)

const (
	credits     = 4
	creditBytes = 600
	pieceBytes  = 128
)

var (
	thisLane = wire.Lane{Name: "job/3/count/0-1", Attempt: 3}
	causes   = []error{
		wire.ErrLost, wire.ErrRepeated, wire.ErrDamaged, wire.ErrVersion, wire.ErrForeign, wire.ErrAttempt, wire.ErrTooLarge,
		wire.ErrCredit, wire.ErrSilent,
	}
)

func sending(l wire.Lane) *wire.Sending {
	return wire.NewSending(wire.SendingConfig{Lane: l, CreditBytes: creditBytes, BatchBytesMax: 1 << 16, PieceBytesMax: pieceBytes, ProbesMax: 5})
}

func receiving(l wire.Lane) *wire.Receiving {
	return wire.NewReceiving(wire.ReceivingConfig{Lane: l, Credits: credits, CreditBytes: creditBytes, BatchBytesMax: 1 << 16})
}

// fault is what a network does to the frame that is on its way to one end.
type fault func(queue [][]byte, frame []byte) [][]byte

// faults are what a network may do. None may go unnoticed.
var faults = map[string]fault{
	"drop": func(q [][]byte, _ []byte) [][]byte { return q },
	"duplicate": func(q [][]byte, f []byte) [][]byte {
		return append(q, f, f)
	},
	"overtake": func(q [][]byte, f []byte) [][]byte {
		if len(q) == 0 {
			return append(q, f)
		}
		last := q[len(q)-1]
		return append(q[:len(q)-1], f, last)
	},
	"repeat an old one": func(q [][]byte, f []byte) [][]byte {
		if len(q) == 0 {
			return append(q, f)
		}
		return append(q, f, q[0])
	},
	"corrupt": func(q [][]byte, f []byte) [][]byte {
		f[len(f)-1] ^= 4
		return append(q, f)
	},
	"cut short": func(q [][]byte, f []byte) [][]byte { return append(q, f[:len(f)/2]) },
}

// network is a lane between two ends with a network that a test makes faulty. Time is turns of the loop in run.
type network struct {
	s        *wire.Sending
	r        *wire.Receiving
	toR, toS [][]byte
	frames   int // that were sent, in both directions
	bend     map[int]fault
	bodies   [][]byte // what is to be sent
	sent     int
	waiting  [][]byte // in front of the consumer's lane
	got      [][]byte
	most     int // under way, as the receiving end sees it

	mostBytes int // likewise, when one more came
}

// traffic makes n bodies, some of several pieces.
func traffic(rng *rand.Rand, n int) (bodies [][]byte) {
	for i := range n {
		b := []byte(fmt.Sprintf("batch %d ", i+1))
		if rng.IntN(3) == 0 {
			for range rng.IntN(5 * pieceBytes) {
				b = append(b, byte(rng.Uint32()))
			}
		}
		bodies = append(bodies, b)
	}
	return bodies
}

func newNetwork(bodies [][]byte, bend map[int]fault) *network {
	n := &network{s: sending(thisLane), r: receiving(thisLane), bodies: bodies, bend: bend}
	n.toS = n.pass(n.toS, n.r.Grant(0))
	return n
}

func (n *network) pass(q [][]byte, frame []byte) [][]byte {
	frame = bytes.Clone(frame)
	f := n.bend[n.frames]
	n.frames++
	if f != nil {
		return f(q, frame)
	}
	return append(q, frame)
}

// send sends the next batch.
func (n *network) send() error {
	buf := append(make([]byte, wire.HeadBytes), n.bodies[n.sent]...)
	n.sent++
	return n.s.Send(buf, func(frame []byte) error {
		n.toR = n.pass(n.toR, frame)
		return nil
	})
}

func (n *network) arriveAtReceiver() error {
	frame := n.toR[0]
	n.toR = n.toR[1:]
	a, err := n.r.Receive(frame)
	if err != nil {
		return err
	}
	if a.Seq > 0 {
		n.waiting = append(n.waiting, bytes.Clone(a.Body))
		n.most = max(n.most, len(n.waiting))
		before := 0
		for _, b := range n.waiting[:len(n.waiting)-1] {
			before += len(b)
		}
		n.mostBytes = max(n.mostBytes, before)
	}
	if a.Probe > 0 {
		n.toS = n.pass(n.toS, n.r.Grant(a.Probe))
	}
	return nil
}

func (n *network) arriveAtSender() error {
	frame := n.toS[0]
	n.toS = n.toS[1:]
	return n.s.Receive(frame)
}

// take is the consumer's lane having room for one.
func (n *network) take() {
	n.got = append(n.got, n.waiting[0])
	n.waiting = n.waiting[1:]
	if n.r.Taken() {
		n.toS = n.pass(n.toS, n.r.Grant(0))
	}
}

func (n *network) probe() error {
	frame, err := n.s.Probe()
	if err == nil {
		n.toR = n.pass(n.toR, frame)
	}
	return err
}

// step does one thing that can be done, chosen by rng; a probe when nothing else can. It says whether the lane is at rest.
func (n *network) step(rng *rand.Rand) (rest bool, err error) {
	_, credit := n.s.Next()
	var can []func() error
	if credit && n.sent < len(n.bodies) {
		can = append(can, n.send)
	}
	if len(n.toR) > 0 {
		can = append(can, n.arriveAtReceiver, n.arriveAtReceiver)
	}
	if len(n.toS) > 0 {
		can = append(can, n.arriveAtSender)
	}
	if len(n.waiting) > 0 {
		can = append(can, func() error { n.take(); return nil })
	}
	switch {
	case len(can) > 0:
		return false, can[rng.IntN(len(can))]()
	case n.s.Unsettled():
		return false, n.probe()
	}
	return true, nil
}

// run goes on until the lane is at rest or broken.
func (n *network) run(rng *rand.Rand) error {
	for range 100 * (len(n.bodies) + 10) {
		if rest, err := n.step(rng); rest || err != nil {
			return err
		}
	}
	return errors.New("neither at rest nor broken")
}

// check says what is wrong with a run: what was taken must be what was sent, up to an error that is one of the lane's.
func (n *network) check(err error) string {
	for i, b := range n.got {
		if !bytes.Equal(b, n.bodies[i]) {
			return fmt.Sprintf("batch %d: took %d bytes %.20q, sent %.20q", i+1, len(b), b, n.bodies[i])
		}
	}
	known := false
	for _, cause := range causes {
		known = known || errors.Is(err, cause)
	}
	switch {
	case n.most > credits:
		return fmt.Sprintf("%d batches waited, %d credits", n.most, credits)
	case n.mostBytes >= creditBytes:
		return fmt.Sprintf("a batch came while %d bytes waited, credit is for %d", n.mostBytes, creditBytes)
	case err != nil && !known:
		return fmt.Sprintf("ended with %v", err)
	case err == nil && len(n.got) != len(n.bodies):
		return fmt.Sprintf("silent: %d of %d batches taken", len(n.got), len(n.bodies))
	}
	return ""
}

func TestAFaultlessNetworkCarriesAll(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := newNetwork(traffic(rng, 60), nil)
		if err := n.run(rng); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if wrong := n.check(nil); wrong != "" {
			t.Fatalf("seed %d: %s", seed, wrong)
		}
	}
}

// Each fault at each frame: what comes out is exact, or the lane is broken. Faults that take something away from batches must break it.
func TestNoFaultIsSilent(t *testing.T) {
	const batches = 12
	for name, f := range faults {
		whole := newNetwork(traffic(rand.New(rand.NewPCG(7, 7)), batches), nil)
		if err := whole.run(rand.New(rand.NewPCG(7, 8))); err != nil {
			t.Fatal(err)
		}
		broken := 0
		for at := range whole.frames {
			n := newNetwork(traffic(rand.New(rand.NewPCG(7, 7)), batches), map[int]fault{at: f})
			err := n.run(rand.New(rand.NewPCG(7, 8)))
			if wrong := n.check(err); wrong != "" {
				t.Errorf("%s frame %d: %s", name, at, wrong)
			}
			if err != nil {
				broken++
			}
		}
		if broken == 0 && name != "duplicate" && name != "repeat an old one" {
			t.Errorf("%s: broke the lane at none of %d frames", name, whole.frames)
		}
		if broken > 0 && name == "duplicate" {
			t.Errorf("duplicate: broke the lane at %d of %d frames", broken, whole.frames)
		}
	}
}

func TestNoMixtureOfFaultsIsSilent(t *testing.T) {
	names := slices.Sorted(maps.Keys(faults))
	exact, broken := 0, 0
	for seed := range uint64(5000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		bend := map[int]fault{}
		for range 1 + rng.IntN(3) {
			bend[rng.IntN(60)] = faults[names[rng.IntN(len(names))]]
		}
		n := newNetwork(traffic(rng, 1+rng.IntN(30)), bend)
		err := n.run(rng)
		if wrong := n.check(err); wrong != "" {
			t.Fatalf("seed %d: %s", seed, wrong)
		}
		if err == nil {
			exact++
		} else {
			broken++
		}
	}
	if exact < 250 || broken < 250 {
		t.Errorf("%d runs exact, %d broken: one of them is not tested", exact, broken)
	}
}
