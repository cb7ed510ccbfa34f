package actors

import (
	"fmt"

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
	// wake asks every poller again at the next step, whatever time it wanted.
	wake()
	// pause stops reading: what was read ahead is not processed, so the resume position stays where it is.
	pause()
	// divide makes the source read in batches, from the start: nothing before readBatch.
	divide()
	// planBatch asks where the next batch should end; batchPlanned is the answer.
	planBatch(planBatch)
	// readBatch reads a batch to its ends; batchRead tells that its last record was processed.
	readBatch(readBatch)
	// flow ends the division: what follows is read as it comes.
	flow()
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

	bounder sources.Bounder[T] // nil: the source cannot say where a batch should end
	batched bool               // nothing is read but batches
	reading bool               // one of them
	open    int                // splits whose part of it has not ended
	most    int64              // records of a split in it, when the source cannot end one; 0: no limit
	noted   bool               // the source has heard of all splits in this attempt
}

// split is one split's reader, as the loop sees it.
type split[T any] struct {
	assigned
	slot     int  // its number among the task's inputs
	changed  bool // since the last cut
	atEnd    bool // the reader has handed over everything there is for now
	idle     bool
	heardNS  int64 // when the last record came
	poller   sources.Poller[T]
	polled   filled[T] // by it
	wakeAtNS int64
	next     *filled[T]      // looked at and not taken; nil: none
	reading  bool            // its part of the batch is read
	final    bool            // it ends with it
	taken    int64           // records of it
	close    func()          // ends its reader; nil: that lives as long as the attempt
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
	h := &Head[T]{t: t, id: id, src: src, next: next, bad: bad, batch: batch, last: last}
	if b, ok := sources.BounderOf(src); ok {
		h.bounder = b
	}
	t.source = h
}

func (h *Head[T]) assign(splits []assigned) { h.first = splits }

func (h *Head[T]) start() {
	h.t.Env.Clock.NowNS = max(h.t.Env.Clock.NowNS, h.t.now()) // from here on a split is silent
	h.add(h.first)
	h.first = nil
}

// pause implements source.
func (h *Head[T]) pause() { h.paused = true }

// add implements source. Each split gets a reader on an I/O goroutine of its own; a reader that can be polled is handed
// to the loop instead.
func (h *Head[T]) add(splits []assigned) {
	fresh := len(h.splits)
	for _, a := range splits {
		s := &split[T]{assigned: a, changed: true, slot: h.t.marks.Add(), heardNS: h.t.Env.Clock.NowNS}
		if s.position == nil {
			s.position = append(flow.Position{}, a.split.Start...)
		}
		h.splits = append(h.splits, s)
	}
	for _, s := range h.splits[fresh:] { // when all are there: the first alone would move the watermark to its own
		h.restoreTime(s)
		if s.finished {
			h.noteEnd(s)
			continue
		}
		h.live++
		s.full, s.free = make(chan *filled[T], readAhead), make(chan *filled[T], readAhead)
		if !h.batched || h.gated() {
			h.openSplit(s)
		}
	}
	h.t.tellTime() // without a split the task is idle
	h.endIfDone()
}

// noteEnd tells the source of a split that had ended before it was restored.
func (h *Head[T]) noteEnd(s *split[T]) {
	n, ok := h.src.(sources.EndNoter)
	if !ok {
		return
	}
	if err := n.EndedAt(s.split, s.position); err != nil {
		panic(failure{operatorError{h.id, fmt.Errorf("split %s, which has ended: %w", s.split.ID, err)}})
	}
}

// waiting implements source.
func (h *Head[T]) waiting() bool {
	if h.paused {
		return false
	}
	for _, s := range h.splits {
		there := len(s.full) > 0 // and nobody knows what
		if s.next != nil {
			there = h.takes(s)
		}
		if there && !h.held(s) {
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
	if h.batchDone() {
		return true, 0
	}
	for range h.splits {
		s := h.splits[h.turn]
		if h.turn++; h.turn == len(h.splits) {
			h.turn = 0
		}
		wakeAtNS = min(wakeAtNS, h.idleAt(s, nowNS))
		switch {
		case s.finished:
		case h.held(s):
			wakeAtNS = min(wakeAtNS, nowNS+heldParkNS)
		default:
			part := s.reading
			f := h.look(s, nowNS)
			switch {
			case f != nil && (f.quiet() || h.takes(s)):
				h.take(s, f)
				return true, 0
			case f == nil && part && h.gated(): // nothing for now is the end of the batch
				h.endPart(s)
				return true, 0
			case f == nil && s.poller != nil:
				wakeAtNS = min(wakeAtNS, s.wakeAtNS)
			}
		}
	}
	return false, wakeAtNS
}

// look gives what split s brings next without taking it, or nil when that is nothing for now.
func (h *Head[T]) look(s *split[T], nowNS int64) *filled[T] {
	switch {
	case s.next != nil:
	case s.poller == nil:
		select {
		case s.next = <-s.full:
		default:
		}
	case s.wakeAtNS <= nowNS:
		s.next = h.poll(s, nowNS)
	}
	return s.next
}

// take processes what look gave.
func (h *Head[T]) take(s *split[T], f *filled[T]) {
	s.next = nil
	h.process(s, &f.Batch, f.end)
	f.Reset()
	if f != &s.polled {
		s.free <- f
	}
}

// quiet says whether b holds nothing that is read, only what the reader knows.
func (b *filled[T]) quiet() bool { return len(b.Records) == 0 && len(b.Bad) == 0 && !b.end }

// poll asks a poller for what is due; nil is nothing.
func (h *Head[T]) poll(s *split[T], nowNS int64) *filled[T] {
	b := &s.polled
	if b.Records == nil {
		b.Records = make([]flow.Record[T], 0, h.batch)
	}
	wake, err := s.poller.Poll(nowNS, &b.Batch)
	if b.end = isEnd(err); err != nil && !b.end {
		panic(failure{operatorError{h.id, fmt.Errorf("read source, split %s: %w", s.split.ID, err)}})
	}
	s.wakeAtNS = wake
	s.atEnd = s.atEnd || b.AtEnd
	if !b.quiet() {
		return b
	}
	if b.HasWatermark {
		h.process(s, &b.Batch, false)
	}
	b.Reset()
	return nil
}

// process runs the chain over a batch and moves the position.
func (h *Head[T]) process(s *split[T], b *sources.Batch[T], end bool) {
	e := h.t.Env
	e.Kind, e.Split = flow.Insert, s.slot
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
	final := end && (!s.reading || h.bounder == nil || s.final) // the reader of a batch ends where that does
	h.observe(s, b, final)
	h.part(s, len(b.Records)+len(b.Bad), end, b.AtEnd)
	if final {
		h.finished(s)
	}
}

// takes says whether the loop takes what split s has.
func (h *Head[T]) takes(s *split[T]) bool { return !h.batched || s.reading }

// finish ends split s where it stands.
func (h *Head[T]) finish(s *split[T]) {
	h.t.observe(s.slot, flow.Mark{Has: flow.HasEnd}, 0)
	h.finished(s)
}

func (h *Head[T]) finished(s *split[T]) {
	s.finished, s.changed = true, true
	h.live--
	h.endIfDone()
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
