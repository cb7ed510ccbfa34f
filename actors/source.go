package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
	"github.com/millrace-io/millrace/sources"
)

// source is a task's head when it reads splits instead of lanes, with the record type rubbed off.
type source interface {
	// assign sets the splits to open at start; add opens more while running.
	assign([]assigned)
	start()
	add([]assigned)
	// step processes one batch of one split, if there is one, and says when a poller wants to be called again.
	step(nowNS int64) (worked bool, wakeAtNS int64)
	waiting() bool
	// pause stops reading: what was read ahead is not processed, so the resume position stays where it is.
	pause()
	// positions is the delta of the resume positions: after the last batch the loop processed, not what was read ahead.
	positions() []delta.Block
}

// SplitsState is the name under which a source's positions stand in a checkpoint.
const SplitsState = "splits"

// readAhead is how many batches a split's reader may be ahead of the loop.
const readAhead = 2

// Head reads splits of a source and hands each record to the chain.
type Head[T any] struct {
	t      *Task
	id     string
	src    sources.Source[T]
	next   func(T)
	bad    func(flow.DeadLetter) // nil: a record that cannot be decoded fails the job
	batch  int
	splits []*split[T]
	first  []assigned // opened when the task starts
	turn   int
	live   int  // splits that have not ended
	last   bool // no split will be added
	paused bool
}

// split is one split's reader, as the loop sees it.
type split[T any] struct {
	assigned
	changed  bool // since the last cut
	poller   sources.Poller[T]
	polled   sources.Batch[T]
	wakeAtNS int64
	full     chan *filled[T] // from the reader's goroutine
	free     chan *filled[T] // back to it
}

// filled is a batch on its way from a reader's goroutine.
type filled[T any] struct {
	sources.Batch[T]
	end bool
}

// NewHead makes the head of task t: next is the chain, bad takes what could not be decoded, batch is the most records
// read at once. last says that the source finds no splits while running.
func NewHead[T any](t *Task, id string, src sources.Source[T], next func(T), bad func(flow.DeadLetter), batch int, last bool) {
	t.source = &Head[T]{t: t, id: id, src: src, next: next, bad: bad, batch: batch, last: last}
}

func (h *Head[T]) assign(splits []assigned) { h.first = splits }

func (h *Head[T]) start() {
	h.add(h.first)
	h.first = nil
}

// pause implements source.
func (h *Head[T]) pause() { h.paused = true }

// add implements source. Each split gets a reader on an I/O goroutine of its own; a reader that can be polled is handed
// to the loop instead.
func (h *Head[T]) add(splits []assigned) {
	for _, a := range splits {
		s := &split[T]{assigned: a, changed: true}
		if s.position == nil {
			s.position = append(flow.Position{}, a.split.Start...)
		}
		h.splits = append(h.splits, s)
		if a.finished {
			continue
		}
		h.live++
		s.full, s.free = make(chan *filled[T], readAhead), make(chan *filled[T], readAhead)
		from := append(flow.Position{}, s.position...)
		h.t.Go(h.id, fmt.Sprintf("read split %s", a.split.ID), func(ctx context.Context) error { return h.read(ctx, s, from) })
	}
	h.endIfDone()
}

// read opens split s at from and reads it to its end, on an I/O goroutine.
func (h *Head[T]) read(ctx context.Context, s *split[T], from flow.Position) error {
	for range readAhead {
		f := new(filled[T])
		f.Records = make([]flow.Record[T], 0, h.batch)
		s.free <- f
	}
	c := &link{report: func(err error) { h.t.report(connection{h.id, s.split.ID, err}) }}
	for wait := reopenMin; ; wait = min(wait*2, reopenMax) {
		read, err := h.readOnce(ctx, s, &from, c)
		if !errors.Is(err, sources.ErrDisconnected) {
			return err
		}
		c.broke(err)
		if read {
			wait = reopenMin
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// A reader that lost its connection is opened again after reopenMin, twice as long each time it fails without a record.
const (
	reopenMin = 100 * time.Millisecond
	reopenMax = 10 * time.Second
)

// link tells the job once when a reader's connection breaks, and once when it reads again.
type link struct {
	broken bool
	report func(error)
}

func (l *link) broke(err error) {
	if !l.broken {
		l.broken = true
		l.report(err)
	}
}

func (l *link) works() {
	if l.broken {
		l.broken = false
		l.report(nil)
	}
}

// isEnd says whether a reader's error is the end of its split. A connection that broke mostly did so with an io.EOF of its
// own, so only the bare one counts, as everywhere in Go.
func isEnd(err error) bool { return err == io.EOF } //nolint:errorlint // wrapped, it is another error's cause

// readOnce opens a reader and reads until it ends or fails; it keeps from at the position to go on from.
func (h *Head[T]) readOnce(ctx context.Context, s *split[T], from *flow.Position, c *link) (read bool, err error) {
	r, err := h.src.Open(ctx, s.split, *from)
	if ctx.Err() != nil && err != nil {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open source, split %s: %w", s.split.ID, err)
	}
	if p, ok := r.(sources.Poller[T]); ok {
		h.t.post(do(func() { s.poller = p }))
		<-ctx.Done()
		return true, r.Close()
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		f := take(ctx, s.free)
		if f == nil {
			return read, nil
		}
		err := r.Read(ctx, &f.Batch)
		if f.end = isEnd(err); err != nil && !f.end {
			f.Reset() // what came with the error is read again
			s.free <- f
			if ctx.Err() != nil {
				return read, nil
			}
			return read, fmt.Errorf("read source, split %s: %w", s.split.ID, err)
		}
		read = true
		c.works()
		*from = append((*from)[:0], f.Next...)
		end := f.end
		s.full <- f
		h.t.Bell().Ring()
		if end {
			return read, nil
		}
	}
}

func take[E any](ctx context.Context, c <-chan E) (e E) {
	select {
	case e = <-c:
	case <-ctx.Done():
	}
	return e
}

// waiting implements source.
func (h *Head[T]) waiting() bool {
	if h.paused {
		return false
	}
	for _, s := range h.splits {
		if len(s.full) > 0 {
			return true
		}
	}
	return false
}

// step implements source: round robin over the splits, one batch.
func (h *Head[T]) step(nowNS int64) (worked bool, wakeAtNS int64) {
	wakeAtNS = never
	if h.paused {
		return false, never
	}
	for range h.splits {
		s := h.splits[h.turn]
		if h.turn++; h.turn == len(h.splits) {
			h.turn = 0
		}
		switch {
		case s.finished:
		case s.poller != nil:
			if s.wakeAtNS <= nowNS && h.poll(s, nowNS) {
				return true, 0
			}
			if !s.finished {
				wakeAtNS = min(wakeAtNS, s.wakeAtNS)
			}
		default:
			select {
			case f := <-s.full:
				h.process(s, &f.Batch, f.end)
				f.Reset()
				s.free <- f
				return true, 0
			default:
			}
		}
	}
	return false, wakeAtNS
}

// poll asks a poller for what is due and says whether there was anything.
func (h *Head[T]) poll(s *split[T], nowNS int64) bool {
	b := &s.polled
	if b.Records == nil {
		b.Records = make([]flow.Record[T], 0, h.batch)
	}
	wake, err := s.poller.Poll(nowNS, b)
	end := isEnd(err)
	if err != nil && !end {
		panic(failure{operatorError{h.id, fmt.Errorf("read source, split %s: %w", s.split.ID, err)}})
	}
	s.wakeAtNS = wake
	worked := len(b.Records) > 0 || len(b.Bad) > 0 || end
	if worked {
		h.process(s, b, end)
	}
	b.Reset()
	return worked
}

// process runs the chain over a batch and moves the position.
func (h *Head[T]) process(s *split[T], b *sources.Batch[T], end bool) {
	e := h.t.Env
	e.Kind = flow.Insert
	h.t.records = len(b.Records)
	for i := range b.Records {
		r := &b.Records[i]
		e.TimeNS, e.Hash = r.TimeNS, r.Hash
		h.next(r.Value)
	}
	h.t.Stats.RecordsIn.Add(int64(len(b.Records) + len(b.Bad)))
	for _, d := range b.Bad {
		h.reject(s, d)
	}
	if b.Next != nil {
		s.position = append(s.position[:0], b.Next...)
		s.changed = true
	}
	if end {
		s.finished, s.changed = true, true
		h.live--
		h.endIfDone()
	}
}

// reject takes a record that could not be decoded to the dead-letter output, or fails the attempt when there is none.
func (h *Head[T]) reject(s *split[T], d flow.DeadLetter) {
	d.Operator, d.Split = h.id, s.split.ID
	h.t.Stats.DeadLetters.Add(1)
	if h.bad == nil {
		panic(failure{operatorError{h.id, fmt.Errorf("split %s, position %s: %s; fix the record or give the job a dead-letter sink (Job.DeadLetters)",
			d.Split, d.Position, d.Reason)}})
	}
	h.t.Env.TimeNS = d.Time.UnixNano()
	h.bad(d)
}

// endIfDone ends the task's input with the final watermark, once no split can bring another record.
func (h *Head[T]) endIfDone() {
	if !h.last || h.live > 0 || h.t.exhausted || !h.t.started {
		return
	}
	h.t.exhausted = true
	h.t.endOfTime()
}

// positions implements source. The value of an entry is one byte, 1 for a finished split, and the position.
func (h *Head[T]) positions() []delta.Block {
	b := delta.Block{Operator: h.id, State: SplitsState}
	for _, s := range h.splits {
		if s.changed {
			s.changed = false
			b.Data = delta.AppendPut(b.Data, []byte(s.split.ID), encodePosition(s.position, s.finished))
			b.Count++
		}
	}
	if b.Count == 0 {
		return nil
	}
	return []delta.Block{b}
}

func encodePosition(p flow.Position, finished bool) []byte {
	flag := byte(0)
	if finished {
		flag = 1
	}
	return append([]byte{flag}, p...)
}

// decodePositions reads a block of positions; later entries win.
func decodePositions(b delta.Block, into map[string]assigned) error {
	for data := b.Data; len(data) > 0; {
		key, value, deleted, rest, err := delta.Next(data)
		if err == nil && !deleted && (len(value) == 0 || bits.Len8(value[0]) > 1) {
			err = delta.ErrDamaged
		}
		if err != nil {
			return fmt.Errorf("positions of source %q: %w", b.Operator, err)
		}
		data = rest
		id := string(key)
		if deleted {
			delete(into, id)
			continue
		}
		into[id] = assigned{split: flow.Split{ID: id}, position: append(flow.Position{}, value[1:]...), finished: value[0] == 1}
	}
	return nil
}
