package sources

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
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
	if len(from) == 0 {
		from = s.Start
	}
	at, err := scheduleAt(from)
	if err != nil {
		return nil, fmt.Errorf("generator, split %q: %w", s.ID, err)
	}
	at.setRate(g.cfg.PerSecond)
	count := g.cfg.Count
	if count == 0 {
		count = math.MaxInt64
	}
	return &generatorReader[T]{make: g.make, at: at, count: count}, nil
}

type generatorReader[T any] struct {
	make  func(i, dueNS int64) T
	at    schedule
	count int64
}

// Poll implements Poller.
func (r *generatorReader[T]) Poll(nowNS int64, b *Batch[T]) (int64, error) {
	last := r.count - 1
	if r.at.perSecond > 0 {
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
		return r.at.dueNS(), nil
	}
	return 0, nil
}

func (r *generatorReader[T]) Read(ctx context.Context, b *Batch[T]) error {
	return readPolled(ctx, r, b)
}

func (r *generatorReader[T]) Close() error { return nil }

const nsPerSecond = 1_000_000_000

// schedule is where a generator's split stands: its next index and when each index is due. It is the split's position.
// The stride is in it, so that the indexes stay without a gap when the configuration changes.
type schedule struct {
	startNS   int64 // when index 0 is, or would have been, due
	perSecond int64 // over all splits; 0 = unlimited
	stride    int64 // number of splits
	next      int64

	// next = seconds*perSecond + rest, and the same for stride; kept so that a record costs one division, not three.
	seconds, rest             int64
	strideSeconds, strideRest int64
}

func (s *schedule) append(dst flow.Position) flow.Position {
	dst = binary.AppendVarint(dst, s.startNS)
	dst = binary.AppendVarint(dst, s.perSecond)
	dst = binary.AppendVarint(dst, s.stride)
	return binary.AppendVarint(dst, s.next)
}

func scheduleAt(p flow.Position) (schedule, error) {
	f := fields{rest: p}
	s := schedule{startNS: f.int(), perSecond: f.int(), stride: f.int(), next: f.int()}
	if err := f.end("generator", p); err != nil {
		return s, err
	}
	if s.perSecond < 0 || s.perSecond > nsPerSecond || s.stride <= 0 || s.next < 0 {
		return s, fmt.Errorf("position %x is damaged: rate %d/s, %d splits, next %d", []byte(p), s.perSecond, s.stride, s.next)
	}
	s.split()
	return s, nil
}

// split computes the derived fields.
func (s *schedule) split() {
	if s.perSecond > 0 {
		s.seconds, s.rest = s.next/s.perSecond, s.next%s.perSecond
		s.strideSeconds, s.strideRest = s.stride/s.perSecond, s.stride%s.perSecond
	}
}

// setRate goes on at another rate from the time that the next index is due.
func (s *schedule) setRate(perSecond int64) {
	if perSecond == s.perSecond {
		return
	}
	due := time.Now().UnixNano()
	if s.perSecond > 0 {
		due = s.dueNS()
	}
	s.perSecond = perSecond
	s.startNS = 0
	s.split()
	if perSecond > 0 {
		s.startNS = due - s.dueNS()
	}
}

// dueNS is when the next index is due.
func (s *schedule) dueNS() int64 {
	return s.startNS + s.seconds*nsPerSecond + s.rest*nsPerSecond/s.perSecond
}

// lastDue is the highest index due at nowNS, of any split; -1 when there is none.
func (s *schedule) lastDue(nowNS int64) int64 {
	if nowNS < s.startNS {
		return -1
	}
	hi, lo := bits.Mul64(uint64(nowNS-s.startNS)+1, uint64(s.perSecond))
	lo, borrow := bits.Sub64(lo, 1, 0)
	hi -= borrow
	if hi >= nsPerSecond {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, nsPerSecond)
	return int64(min(q, math.MaxInt64))
}

func (s *schedule) advance() {
	s.next += s.stride
	s.seconds += s.strideSeconds
	if s.rest += s.strideRest; s.rest >= s.perSecond {
		s.rest -= s.perSecond
		s.seconds++
	}
}
