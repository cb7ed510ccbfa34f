package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/millrace-io/millrace/flow"
)

// GeneratorConfig says how many records a generator makes and how fast. Its zero value makes them without end, as fast
// as they are taken, in one split.
type GeneratorConfig struct {
	Splits    int   // how many tasks can generate at the same time; default 1; fixed at the first start of a lineage
	PerSecond int64 // records per second over all splits; 0 = as fast as they are taken
	Count     int64 // stop after this many; 0 = never
}

// Generate is a source of the records f(0), f(1), f(2), …; split s of n makes those whose index is s modulo n. f must
// depend on the index alone, so that the records after a restart are the ones before it; tasks call it at the same time.
//
// With PerSecond, record i is due at start + i/PerSecond and carries that as its time: a generator that was held up
// catches up, and keeps the times that were intended. start is fixed at the first start of a lineage. Unlimited, a
// record carries the time of the poll that made it. Changing PerSecond between two runs keeps the indexes without a gap
// and goes on at the new rate from the time that the next record was due.
func Generate[T any](cfg GeneratorConfig, f func(i int64) T) Source[T] {
	return &generator[T]{cfg: cfg, make: func(i, _ int64) T { return f(i) }, missing: f == nil}
}

// RateConfig is the configuration of Rate.
type RateConfig struct {
	RowsPerSecond int64 // over all partitions; default 1
	Partitions    int   // default 1; fixed at the first start of a lineage
}

// RateRow is what Rate gives.
type RateRow struct {
	Timestamp time.Time // when the row was due: start of the lineage + Value/RowsPerSecond
	Value     int64     // counts from 0 without a gap, over restarts and partitions
}

// Rate is a source of numbered rows at a steady rate, for trials and tests. Partition p of n gives the values that are p
// modulo n.
func Rate(cfg RateConfig) Source[RateRow] {
	if cfg.RowsPerSecond == 0 {
		cfg.RowsPerSecond = 1
	}
	return &generator[RateRow]{
		cfg:  GeneratorConfig{Splits: cfg.Partitions, PerSecond: cfg.RowsPerSecond},
		make: func(i, dueNS int64) RateRow { return RateRow{time.Unix(0, dueNS).UTC(), i} },
	}
}

type generator[T any] struct {
	cfg     GeneratorConfig
	make    func(i, dueNS int64) T
	missing bool
}

func (g *generator[T]) Check(context.Context) error {
	var errs []error
	if g.missing {
		errs = append(errs, errors.New("generator: function is nil"))
	}
	if g.cfg.Splits < 0 || g.cfg.PerSecond < 0 || g.cfg.Count < 0 {
		errs = append(errs, fmt.Errorf("generator: splits %d, rate %d/s, count %d: none may be negative",
			g.cfg.Splits, g.cfg.PerSecond, g.cfg.Count))
	}
	if g.cfg.PerSecond > nsPerSecond {
		errs = append(errs, fmt.Errorf("generator: rate %d/s is above %d/s: use 0 for unlimited", g.cfg.PerSecond, int64(nsPerSecond)))
	}
	return errors.Join(errs...)
}

func (g *generator[T]) Splits(ctx context.Context, known []string) ([]flow.Split, error) {
	if err := g.Check(ctx); err != nil || len(known) > 0 {
		return nil, err
	}
	n := int64(max(g.cfg.Splits, 1))
	start := time.Now().UnixNano()
	splits := make([]flow.Split, n)
	for i := range splits {
		at := schedule{startNS: start, perSecond: g.cfg.PerSecond, stride: n, next: int64(i)}
		splits[i] = flow.Split{ID: strconv.Itoa(i), Start: at.append(nil)}
	}
	return splits, nil
}

func (g *generator[T]) Open(_ context.Context, s flow.Split, from flow.Position) (Reader[T], error) {
	at, err := g.at(s, from)
	if err != nil {
		return nil, err
	}
	at.setRate(g.cfg.PerSecond)
	return &generatorReader[T]{make: g.make, at: at, count: g.count()}, nil
}

// at is where split s stands at from.
func (g *generator[T]) at(s flow.Split, from flow.Position) (schedule, error) {
	if len(from) == 0 {
		from = s.Start
	}
	at, err := scheduleAt(from)
	if err != nil {
		return at, fmt.Errorf("generator, split %q: %w", s.ID, err)
	}
	return at, nil
}

// count is the number of records over all splits.
func (g *generator[T]) count() int64 {
	if g.cfg.Count == 0 {
		return math.MaxInt64
	}
	return g.cfg.Count
}

// Latest implements Bounder: what is due by the clock. Unlimited in rate and number, it has always more; then a batch
// without a limit has openEndedMax records.
func (g *generator[T]) Latest(_ context.Context, s flow.Split, from flow.Position, most int64) (flow.Position, error) {
	at, err := g.at(s, from)
	if err != nil {
		return nil, err
	}
	at.setRate(g.cfg.PerSecond)
	if most <= 0 && at.perSecond == 0 && g.cfg.Count == 0 {
		most = openEndedMax
	}
	last := g.count() - 1
	if at.perSecond > 0 {
		last = min(last, at.lastDue(time.Now().UnixNano()))
	}
	if last >= at.next {
		at.next += limit((last-at.next)/at.stride+1, most) * at.stride
		from = at.append(nil)
	} else if len(from) == 0 {
		from = s.Start
	}
	if at.next >= g.count() {
		return from, io.EOF
	}
	return from, nil
}

// OpenUntil implements Bounder. The times of the records are those that were planned with until, whatever the rate is now.
func (g *generator[T]) OpenUntil(_ context.Context, s flow.Split, from, until flow.Position) (Reader[T], error) {
	at, err := g.at(s, from)
	if err != nil {
		return nil, err
	}
	end, err := g.at(s, until)
	if err != nil {
		return nil, err
	}
	if at.next > end.next || at.stride != end.stride || (end.next-at.next)%at.stride != 0 {
		return nil, fmt.Errorf("generator, split %q: a batch from record %d to %d of %d splits: the positions are not of one split",
			s.ID, at.next, end.next, at.stride)
	}
	count := end.next
	end.next = at.next
	end.split()
	return &generatorReader[T]{make: g.make, at: end, count: count, bounded: true}, nil
}

type generatorReader[T any] struct {
	make  func(i, dueNS int64) T
	at    schedule
	count int64 // the end

	bounded bool // all is due: it was when the batch was planned
}

// Poll implements Poller.
func (r *generatorReader[T]) Poll(nowNS int64, b *Batch[T]) (int64, error) {
	last := r.count - 1
	if r.at.perSecond > 0 && !r.bounded {
		last = min(last, r.at.lastDue(nowNS))
	}
	due := nowNS
	for r.at.next <= last && len(b.Records) < cap(b.Records) {
		if r.at.perSecond > 0 {
			due = r.at.dueNS()
		}
		b.Records = append(b.Records, flow.Record[T]{TimeNS: due, Value: r.make(r.at.next, due)})
		r.at.advance()
	}
	b.Next = r.at.append(b.Next[:0])
	if r.at.next >= r.count {
		return 0, io.EOF
	}
	if r.at.perSecond > 0 && r.at.next > last {
		b.AtEnd = true
		return r.at.dueNS(), nil
	}
	return 0, nil
}

func (r *generatorReader[T]) Read(ctx context.Context, b *Batch[T]) error {
	return readPolled(ctx, r, b)
}

func (r *generatorReader[T]) Close() error { return nil }

// Portable implements Portable: what a split gives follows from its number and its start.
func (g *generator[T]) Portable() bool { return true }
