package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
)

// A head that divides its input reads nothing but what readBatch names. A source whose ends can be known (sources.Bounder)
// gets a reader per split and batch, which ends where the batch does. Any other is read all the time, a little ahead; a batch
// of it is what its readers had when the batch was read. Between batches the loop looks at what they have and takes only what
// holds no record.

// divide implements source.
func (h *Head[T]) divide() { h.batched = true }

// gated says whether readers are open beyond a batch and the loop decides what is taken of them.
func (h *Head[T]) gated() bool { return h.batched && h.bounder == nil }

// planBatch implements source: asks, on an I/O goroutine, where the splits' parts of the next batch should end.
func (h *Head[T]) planBatch(m planBatch) {
	h.most = m.most
	if h.bounder == nil {
		h.t.report(batchPlanned{ask: m.ask, source: h.id, something: h.hasSomething()})
		return
	}
	asked := make([]assigned, len(h.splits))
	for i, s := range h.splits {
		asked[i] = assigned{split: s.split, position: append(flow.Position{}, s.position...), finished: s.finished}
	}
	h.noted = true
	h.t.Go(h.id, "plan a batch", func(ctx context.Context) error {
		p := planner[T]{h: h, ctx: ctx, m: m, answer: batchPlanned{ask: m.ask, source: h.id, ends: batchEnds{}, targets: batchEnds{}}}
		for _, a := range asked {
			if err := p.plan(a); err != nil {
				return err
			}
		}
		h.t.post(do(func() { h.planIs(p.answer) }))
		return nil
	})
}

// hasSomething says whether a split that is read beyond batches has a record, or its end. What only says that nothing is there is
// taken at once: it makes no batch.
func (h *Head[T]) hasSomething() (some bool) {
	for _, s := range h.splits {
		for i := 0; i <= readAhead && !s.finished; i++ {
			f := h.look(s, h.t.Env.Clock.NowNS)
			if f == nil {
				break
			}
			if !f.quiet() {
				some = true
				break
			}
			h.take(s, f)
		}
	}
	return some
}

// planIs notes which splits are at their end for now, and tells the job.
func (h *Head[T]) planIs(answer batchPlanned) {
	for _, s := range h.splits {
		if e, ok := answer.ends[s.split.ID]; ok {
			s.atEnd = bytes.Equal(e.until, s.position)
		}
	}
	h.t.report(answer)
}

// planner asks a source's splits for the ends of a batch.
type planner[T any] struct {
	h      *Head[T]
	ctx    context.Context
	m      planBatch
	answer batchPlanned
}

// plan asks one split.
func (p *planner[T]) plan(a assigned) error {
	if a.finished {
		return p.h.note(p.ctx, a)
	}
	target, fixed := p.m.targets[a.split.ID]
	if p.m.fixed && !fixed {
		return p.h.note(p.ctx, a) // found since: it is for the next run
	}
	limited, all := p.h.bounder, sources.Unlimited(p.h.bounder)
	if p.m.whole {
		limited = all
	}
	var err error
	if p.m.fix {
		if target, err = p.latest(all, a, 0); err != nil {
			return err
		}
		p.answer.targets[a.split.ID], fixed = target, true
	}
	end := batchEnd{until: a.position, final: target.final}
	more := true
	if fixed {
		if more, err = p.before(a, a.position, target.until); err != nil {
			return err
		}
	}
	if more {
		if end, err = p.latest(limited, a, p.m.most); err != nil {
			return err
		}
	}
	moves := !bytes.Equal(end.until, a.position)
	if fixed && moves {
		if before, err := p.before(a, end.until, target.until); err != nil {
			return err
		} else if !before || !p.ordered() {
			end = target
		}
	}
	p.answer.ends[a.split.ID] = end
	p.answer.something = p.answer.something || moves || end.final
	return nil
}

func (p *planner[T]) ordered() bool {
	_, ok := sources.OrdererOf(p.h.bounder)
	return ok
}

// before says whether position x of a split comes before y. Of a source that does not know, every other one does.
func (p *planner[T]) before(a assigned, x, y flow.Position) (bool, error) {
	order, ok := sources.OrdererOf(p.h.bounder)
	if !ok || bytes.Equal(x, y) {
		return !bytes.Equal(x, y), nil
	}
	before, err := order.Before(a.split, x, y)
	if err != nil {
		return false, fmt.Errorf("plan a batch, split %s: %w", a.split.ID, err)
	}
	return before, nil
}

// latest asks b for the end of a batch until it can tell.
func (p *planner[T]) latest(b sources.Bounder[T], a assigned, most int64) (batchEnd, error) {
	for wait := reopenMin; ; wait = min(wait*2, reopenMax) {
		until, err := b.Latest(p.ctx, a.split, a.position, most)
		switch {
		case err == nil, isEnd(err):
			return batchEnd{until: until, final: isEnd(err)}, nil
		case errors.Is(err, sources.ErrDisconnected):
			if !p.h.t.sleep(p.ctx, wait) {
				return batchEnd{}, p.ctx.Err()
			}
		default:
			return batchEnd{}, fmt.Errorf("plan a batch, split %s: %w", a.split.ID, err)
		}
	}
}

// note tells the source of a split that is neither planned nor read: it counts what all of them have given.
func (h *Head[T]) note(ctx context.Context, a assigned) error {
	_, err := h.bounder.Latest(ctx, a.split, a.position, 1)
	if err == nil || isEnd(err) || errors.Is(err, sources.ErrDisconnected) {
		return nil
	}
	return fmt.Errorf("plan a batch, split %s: %w", a.split.ID, err)
}

// readBatch implements source.
func (h *Head[T]) readBatch(m readBatch) {
	h.reading, h.open = true, 0
	var rest []assigned
	for _, s := range h.splits {
		end, ok := m.ends[s.split.ID]
		switch {
		case h.bounder == nil:
			if ok {
				panic(failure{operatorError{h.id, fmt.Errorf("split %s: a batch was planned to end at %x, but the source cannot be read up to a position any more",
					s.split.ID, []byte(end.until))}})
			}
			if !s.finished {
				h.begin(s, batchEnd{})
			}
		case s.finished || !ok || !end.final && bytes.Equal(end.until, s.position):
			rest = append(rest, assigned{split: s.split, position: append(flow.Position{}, s.position...)})
		case bytes.Equal(end.until, s.position): // nothing but the end
			h.finish(s)
		default:
			h.begin(s, end)
			h.openUntil(s, end.until)
		}
	}
	if !h.noted && len(rest) > 0 {
		h.t.Go(h.id, "begin a batch", func(ctx context.Context) error {
			for _, a := range rest {
				if err := h.note(ctx, a); err != nil {
					return err
				}
			}
			return nil
		})
	}
	h.noted = true
}

// begin begins split s's part of a batch.
func (h *Head[T]) begin(s *split[T], end batchEnd) {
	s.reading, s.final, s.taken = true, end.final, 0
	if h.bounder != nil {
		s.atEnd = false
	}
	h.open++
}

// openUntil reads s up to the batch's end, on an I/O goroutine.
func (h *Head[T]) openUntil(s *split[T], until flow.Position) {
	ctx, cancel := context.WithCancel(h.t.ctx)
	s.close = cancel
	from := append(flow.Position{}, s.position...)
	open := func(ctx context.Context, from flow.Position) (sources.Reader[T], error) {
		return h.bounder.OpenUntil(ctx, s.split, from, until)
	}
	h.t.Go(h.id, fmt.Sprintf("read split %s", s.split.ID), func(context.Context) error {
		defer cancel()
		return h.read(ctx, s, from, open)
	})
}

// part follows a batch of records of split s: it ends the split's part of the batch, when that was the last.
func (h *Head[T]) part(s *split[T], records int, end, atEnd bool) {
	if !s.reading {
		return
	}
	s.taken += int64(records)
	if h.bounder != nil {
		if end {
			h.endPart(s)
		}
		return
	}
	if end || atEnd || h.most > 0 && s.taken >= h.most {
		h.endPart(s)
	}
}

func (h *Head[T]) endPart(s *split[T]) {
	if !s.reading {
		return
	}
	s.reading = false
	h.open--
	if s.close != nil {
		s.close()
		s.close, s.poller = nil, nil
	}
}

// batchDone tells the job when the batch has been read to its ends, and when it was the last, behind the end.
func (h *Head[T]) batchDone() bool {
	if !h.reading || h.open > 0 || h.t.exhausted && !h.t.endSent {
		return false
	}
	h.reading = false
	h.t.report(batchRead{})
	return true
}

// flow implements source: what follows is real time.
func (h *Head[T]) flow() {
	gated := h.gated()
	h.batched, h.reading = false, false
	if gated {
		return
	}
	for _, s := range h.splits {
		if !s.finished {
			h.openSplit(s)
		}
	}
}
