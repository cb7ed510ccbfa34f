package natslane_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/wire"
)

// forwarder stands between two ends that use different subjects, and does something to one frame.
type forwarder struct {
	conn *nats.Conn
	at   int // which frame, from 0
	do   func(f *forwarder, to string, frame []byte)

	mu   sync.Mutex
	n    int
	held []byte // until the next has passed
}

func (f *forwarder) forward(t *testing.T, from, to string) {
	t.Helper()
	if _, err := f.conn.Subscribe(from, func(m *nats.Msg) { f.pass(to, m.Data) }); err != nil {
		t.Fatal(err)
	}
}

func (f *forwarder) pass(to string, frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.do != nil && f.n == f.at {
		f.do(f, to, frame)
	} else {
		_ = f.conn.Publish(to, frame)
		if f.held != nil {
			_ = f.conn.Publish(to, f.held)
			f.held = nil
		}
	}
	f.n++
}

var bends = map[string]func(f *forwarder, to string, frame []byte){
	"drop": func(*forwarder, string, []byte) {},
	"duplicate": func(f *forwarder, to string, frame []byte) {
		_ = f.conn.Publish(to, frame)
		_ = f.conn.Publish(to, frame)
	},
	"reorder": func(f *forwarder, _ string, frame []byte) { f.held = frame },
	"corrupt": func(f *forwarder, to string, frame []byte) {
		frame[len(frame)/2] ^= 1
		_ = f.conn.Publish(to, frame)
	},
	"cut": func(f *forwarder, to string, frame []byte) { _ = f.conn.Publish(to, frame[:len(frame)-3]) },
}

// Whatever happens to one frame or one grant, what comes out is exact or the lane is broken, in time and by an error that says why.
func TestNothingIsLostInSilence(t *testing.T) {
	b := newBroker(t, 512)
	from, between, to := b.connect(t), b.connect(t), b.connect(t)
	tr := randomTraffic(rand.New(rand.NewPCG(2, 2)), "t", 40, 900)
	want := tr.batches()
	run := 0
	for name, do := range bends {
		for _, bent := range []string{".batches", ".grants"} {
			broken := 0
			for at := range 25 {
				run++
				sending, receiving := config(from, fmt.Sprint("near", run), 4), config(to, fmt.Sprint("far", run), 4)
				sending.Name, receiving.Name = "lane", "lane"
				batches, grants := &forwarder{conn: between, at: at}, &forwarder{conn: between, at: at}
				batches.forward(t, sending.Subject+".batches", receiving.Subject+".batches")
				grants.forward(t, receiving.Subject+".grants", sending.Subject+".grants")
				if err := between.Flush(); err != nil {
					t.Fatal(err)
				}
				if bent == ".batches" {
					batches.do = do
				} else {
					grants.do = do
				}
				ls := newLinks(t)
				ls.produce(ls.remote(t, sending, receiving, 2, mailbox.NewBell()), tr)
				got, err := ls.consume(func() {})
				if err != nil {
					broken++
				}
				if wrong := judge(got[0], want, err); wrong != "" {
					t.Errorf("%s %s %d: %s", name, bent, at, wrong)
				}
				ls.stop()
			}
			if broken == 0 && (name == "corrupt" || name == "cut" || name == "drop" && bent == ".batches") {
				t.Errorf("%s %s: no lane broke", name, bent)
			}
			if broken > 0 && (name == "duplicate" || name == "drop" && bent == ".grants") {
				t.Errorf("%s %s: %d lanes broke", name, bent, broken)
			}
		}
	}
}

// judge says what is wrong with what came: it must be exact, or exact up to an error of the protocol.
func judge(got, want []string, err error) string {
	if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
		return difference(got, want)
	}
	for _, cause := range []error{wire.ErrLost, wire.ErrRepeated, wire.ErrDamaged, wire.ErrCredit} {
		if errors.Is(err, cause) {
			return ""
		}
	}
	if err != nil {
		return fmt.Sprintf("ended with %v", err)
	}
	if len(got) < len(want) {
		return fmt.Sprintf("%d of %d batches, and no error", len(got), len(want))
	}
	return ""
}
