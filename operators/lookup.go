package operators

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
)

// LookupConfig says how an asynchronous look-up asks.
type LookupConfig struct {
	Concurrency int           // questions at once, of each task; at least 1
	Unordered   bool          // answers leave as they come; otherwise in the order of their inputs
	Timeout     time.Duration // of one try; 0: none
	Retries     int           // further tries of a question that failed
	Backoff     time.Duration // wait before the first retry, doubled for each that follows
}

// Lookup asks a function that may wait, with bounded concurrency, and emits its answers. The inputs that are not answered are
// in the snapshot and are asked again after a restore; no watermark passes an earlier one of them.
//
// Its fields belong to the task's loop; the function runs on I/O goroutines.
type Lookup[T, U any] struct {
	env    *Env
	id     string
	cfg    LookupConfig
	ask    func(context.Context, T) (U, error)
	next   func(U)
	failed func(T) // nil: a question that got no answer fails the job
	values *codec.Encoding[T]

	queue   []*question[T, U] // in the order of arrival: answered and kept back, asked, and still to be asked
	asked   int               // of the queue: questions asked, from its front
	running int
	spare   []*question[T, U]
}

// question is an input on its way to an answer.
type question[T, U any] struct {
	value  T
	timeNS int64
	hash   uint64
	kind   flow.Kind
	wmNS   int64 // the watermark that had been forwarded when it came
	done   bool
	gone   bool // emitted before its turn
	answer U
	err    error
}

// NewLookup prepares a look-up for one task and registers it.
func NewLookup[T, U any](e *Env, id string, cfg LookupConfig, ask func(context.Context, T) (U, error), failed func(T), next func(U)) (*Lookup[T, U], error) {
	values, err := codec.Derive[T]()
	if err != nil {
		return nil, err
	}
	l := &Lookup[T, U]{env: e, id: id, cfg: cfg, ask: ask, failed: failed, next: next, values: values}
	e.AddWaiting(id, l)
	return l, nil
}

// Step takes an input.
func (l *Lookup[T, U]) Step(v T) {
	q := l.fresh()
	q.value, q.timeNS, q.hash, q.kind, q.wmNS = v, l.env.TimeNS, l.env.Hash, l.env.Kind, l.env.ForwardedNS
	l.queue = append(l.queue, q)
	l.pump()
}

func (l *Lookup[T, U]) fresh() *question[T, U] {
	if n := len(l.spare); n > 0 {
		q := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return q
	}
	return new(question[T, U])
}

// pump asks as many questions as may be asked at once.
func (l *Lookup[T, U]) pump() {
	for l.running < l.cfg.Concurrency && l.asked < len(l.queue) {
		q := l.queue[l.asked]
		l.asked++
		l.running++
		v := q.value
		l.env.Go(l.id, "look up", func(ctx context.Context) error {
			answer, err := l.try(ctx, v)
			if ctx.Err() != nil {
				return nil // the attempt is over: the question is in the snapshot
			}
			l.env.Post(func() { l.answered(q, answer, err) })
			return nil
		})
	}
}

// try asks until there is an answer or the retries are used up, on an I/O goroutine.
func (l *Lookup[T, U]) try(ctx context.Context, v T) (answer U, err error) {
	for wait, left := l.cfg.Backoff, l.cfg.Retries; ; left, wait = left-1, wait*2 {
		answer, err = l.once(ctx, v)
		if err == nil || left == 0 || ctx.Err() != nil {
			return answer, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer, err
		}
	}
}

func (l *Lookup[T, U]) once(ctx context.Context, v T) (U, error) {
	if l.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, l.cfg.Timeout, fmt.Errorf("no answer within %v", l.cfg.Timeout))
		defer cancel()
	}
	answer, err := l.ask(ctx, v)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return answer, err
}

// answered takes an answer on the task's loop and emits what may leave.
func (l *Lookup[T, U]) answered(q *question[T, U], answer U, err error) {
	l.running--
	q.done, q.answer, q.err = true, answer, err
	if l.cfg.Unordered {
		l.emit(q)
		q.gone = true
	}
	n := 0
	for n < len(l.queue) && l.queue[n].done {
		if !l.queue[n].gone {
			l.emit(l.queue[n])
		}
		*l.queue[n] = question[T, U]{}
		l.spare = append(l.spare, l.queue[n])
		n++
	}
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:])
	l.queue, l.asked = l.queue[:rest], l.asked-n
	l.pump()
}

func (l *Lookup[T, U]) emit(q *question[T, U]) {
	e := l.env
	e.TimeNS, e.Hash, e.Kind = q.timeNS, q.hash, q.kind
	switch {
	case q.err == nil:
		l.next(q.answer)
	case l.failed != nil:
		l.failed(q.value)
	default:
		panic(UserError{Operator: l.id, Err: fmt.Errorf("look-up failed after %d tries: %w", l.cfg.Retries+1, q.err)})
	}
}

// Full implements Waiting.
func (l *Lookup[T, U]) Full() bool { return len(l.queue) >= l.cfg.Concurrency }

// Open implements Waiting.
func (l *Lookup[T, U]) Open() int { return len(l.queue) }

// HeldNS implements Waiting. What is forwarded only grows, so the oldest question knows the earliest.
func (l *Lookup[T, U]) HeldNS() int64 {
	if len(l.queue) == 0 {
		return flow.FinalWatermarkNS
	}
	return l.queue[0].wmNS
}

const questionHead = 8 + 8 + 8 + 1

// Save implements Waiting.
func (l *Lookup[T, U]) Save(put func([]byte)) {
	var b []byte
	for _, q := range l.queue {
		if q.gone {
			continue
		}
		b = binary.BigEndian.AppendUint64(b[:0], uint64(q.timeNS))
		b = binary.BigEndian.AppendUint64(b, q.hash)
		b = binary.BigEndian.AppendUint64(b, uint64(q.wmNS))
		b = append(b, byte(q.kind))
		put(l.values.Append(b, &q.value))
	}
}

// Load implements Waiting.
func (l *Lookup[T, U]) Load(b []byte) error {
	if len(b) < questionHead {
		return codec.ErrDamaged
	}
	q := l.fresh()
	q.timeNS, q.hash, q.wmNS = int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:]), int64(binary.BigEndian.Uint64(b[16:]))
	q.kind = flow.Kind(b[24])
	rest, err := l.values.Decode(b[questionHead:], &q.value)
	if err == nil && len(rest) > 0 {
		err = codec.ErrDamaged
	}
	if err != nil {
		return err
	}
	l.queue = append(l.queue, q)
	return nil
}

// Resume implements Waiting: what was restored is asked again.
func (l *Lookup[T, U]) Resume() { l.pump() }
