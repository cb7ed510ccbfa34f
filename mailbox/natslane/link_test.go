package natslane_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
	"github.com/millrace-io/millrace/mailbox/natslane"
)

const (
	attempt    = 3
	recordsMax = 4 // of a batch
	patience   = 30 * time.Second
)

// texts writes strings behind their length.
type texts struct{}

func (texts) Append(dst []byte, v *string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(*v))), *v...)
}

func (texts) Decode(src []byte, v *string) ([]byte, error) {
	n, w := binary.Uvarint(src)
	if w <= 0 || n > uint64(len(src)-w) {
		return nil, mailbox.ErrDamaged
	}
	*v = string(src[w:][:n])
	return src[w:][n:], nil
}

// link is a lane as its two tasks see it.
type link struct {
	producer, consumer *mailbox.Bell
	in, out            *mailbox.Lane[string] // one and the same, in one process
	sender             *natslane.Sender[string]
	receiver           *natslane.Receiver[string]
}

// links are lanes to one consumer, and what runs them.
type links struct {
	all    []*link
	conns  []*nats.Conn
	ctx    context.Context
	cancel context.CancelFunc
	runs   sync.WaitGroup
	broken chan error // a lane ended by itself
}

func newLinks(t testing.TB) *links {
	ls := &links{broken: make(chan error, 100)}
	ls.ctx, ls.cancel = context.WithTimeout(context.Background(), patience)
	t.Cleanup(ls.stop)
	return ls
}

// stop ends all lanes and waits for their goroutines.
func (ls *links) stop() {
	ls.cancel()
	ls.runs.Wait()
}

func (ls *links) run(f func(context.Context) error) {
	ls.runs.Go(func() {
		if err := f(ls.ctx); !errors.Is(err, context.Canceled) {
			ls.broken <- err
		}
	})
}

// local adds a lane in one process.
func (ls *links) local(batchesMax int, consumer *mailbox.Bell) *link {
	l := &link{producer: mailbox.NewBell(), consumer: consumer}
	l.in = mailbox.NewLane(batchesMax, mailbox.NewPool[string](recordsMax), l.producer, consumer)
	l.out = l.in
	ls.all = append(ls.all, l)
	return l
}

// remote adds a lane over NATS.
func (ls *links) remote(t testing.TB, send, receive natslane.Config, batchesMax int, consumer *mailbox.Bell) *link {
	t.Helper()
	l := &link{producer: mailbox.NewBell(), consumer: consumer}
	l.in = mailbox.NewLane(batchesMax, mailbox.NewPool[string](recordsMax), l.producer, nil)
	l.out = mailbox.NewLane(batchesMax, mailbox.NewPool[string](recordsMax), nil, consumer)
	var err error
	if l.receiver, err = natslane.NewReceiver(receive, l.out, texts{}); err != nil {
		t.Fatal(err)
	}
	if l.sender, err = natslane.NewSender(send, l.in, texts{}); err != nil {
		t.Fatal(err)
	}
	ls.run(l.receiver.Run)
	ls.run(l.sender.Run)
	ls.all = append(ls.all, l)
	return l
}

// traffic is what a producer sends: a list of things done to its outlet.
type traffic []func(o *mailbox.Out[string])

// randomTraffic is records of all kinds, watermarks, barriers, idleness and the end.
func randomTraffic(rng *rand.Rand, name string, things, textMax int) (all traffic) {
	wm, epoch := int64(0), flow.Epoch(0)
	for i := range things {
		text := fmt.Sprint(name, i)
		if textMax > 0 && rng.IntN(8) == 0 {
			text += strings.Repeat("x", rng.IntN(textMax))
		}
		at, hash := rng.Int64N(1000), rng.Uint64()
		var do func(o *mailbox.Out[string])
		switch rng.IntN(16) {
		case 0:
			wm += rng.Int64N(100)
			do = func(o *mailbox.Out[string]) { o.Watermark(wm) }
		case 1:
			epoch++
			m := flow.BarrierOf(epoch, rng.Int64N(3)-1)
			do = func(o *mailbox.Out[string]) { o.Barrier(m) }
		case 2:
			do = func(o *mailbox.Out[string]) { o.Flush() }
		case 3:
			idle := rng.IntN(2) == 0
			do = func(o *mailbox.Out[string]) { o.Idle(idle) }
		case 4:
			do = func(o *mailbox.Out[string]) {
				o.AddKind(0, text, at, hash, flow.UpdateBefore)
				o.AddKind(0, text, at, hash, flow.UpdateAfter)
			}
		case 5:
			kind := []flow.Kind{flow.Delete, flow.Final}[rng.IntN(2)]
			do = func(o *mailbox.Out[string]) { o.AddKind(0, text, at, hash, kind) }
		default:
			do = func(o *mailbox.Out[string]) { o.Add(0, text, at, hash) }
		}
		all = append(all, do)
	}
	return append(all, func(o *mailbox.Out[string]) { o.End() })
}

// batches is what a lane without bounds makes of the traffic.
func (tr traffic) batches() (all []string) {
	pool := mailbox.NewPool[string](recordsMax)
	lane := mailbox.NewLane(3*len(tr), pool, nil, nil)
	out := mailbox.NewOut([]*mailbox.Lane[string]{lane}, pool, attempt)
	for _, do := range tr {
		do(out)
	}
	for b := lane.TryReceive(); b != nil; b = lane.TryReceive() {
		all = append(all, describe(b.Mark, records(b)))
	}
	return all
}

func records(b *flow.Batch[string]) (all []string) {
	for i := range b.Records {
		r := &b.Records[i]
		all = append(all, fmt.Sprint(r.TimeNS, r.Hash, b.KindOf(i), r.Value))
	}
	return all
}

func describe(m flow.Mark, records []string) string { return fmt.Sprintf("%+v %q", m, records) }

// produce does what a task does: it never blocks, and sleeps on its bell while a batch is refused.
func (ls *links) produce(l *link, tr traffic) {
	ls.runs.Go(func() {
		stop := context.AfterFunc(ls.ctx, l.producer.Ring)
		defer stop()
		out := mailbox.NewOut([]*mailbox.Lane[string]{l.in}, l.in.Pool(), attempt)
		for _, do := range tr {
			do(out)
			for !out.Retry() && ls.ctx.Err() == nil {
				l.producer.Sleep(-1, func() bool { return out.Room() || ls.ctx.Err() != nil })
			}
		}
	})
}

// consume is a task that takes from all lanes until the end of each has come, the lanes are broken, or slow says so: then it returns the error.
// It is what came over each lane.
func (ls *links) consume(slow func()) (got [][]string, err error) {
	got = make([][]string, len(ls.all))
	var inputs []mailbox.Input
	var batch []string
	for _, l := range ls.all {
		inputs = append(inputs, mailbox.NewReceiver(l.out, attempt, nil, func(b *flow.Batch[string]) { batch = records(b) }))
	}
	bell := ls.all[0].consumer
	wake := context.AfterFunc(ls.ctx, bell.Ring)
	defer wake()
	for ended := 0; ended < len(inputs); {
		progress := false
		for i, in := range inputs {
			if !in.Take() {
				continue
			}
			progress, batch = true, nil
			m, _ := in.Deliver()
			got[i] = append(got[i], describe(m, batch))
			if m.Has&flow.HasEnd != 0 {
				ended++
			}
			slow()
		}
		select {
		case err := <-ls.broken:
			return got, err
		default:
		}
		if err := ls.ctx.Err(); err != nil {
			return got, err
		}
		if !progress && ended < len(inputs) {
			bell.Sleep(10*time.Millisecond, func() bool { // a broken lane does not ring
				for _, in := range inputs {
					if in.Waiting() {
						return true
					}
				}
				return ls.ctx.Err() != nil
			})
		}
	}
	return got, nil
}
