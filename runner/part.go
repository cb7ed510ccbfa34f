package runner

import (
	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
)

// Part is one of several sources of a job, which share out --rate and --records evenly; the first ones get the remainder.
type Part struct {
	o    *Options
	i, n int
}

// Part is the i-th of n sources.
func (o *Options) Part(i, n int) Part { return Part{o, i, n} }

// From is Options.From with the part's share.
func (p Part) From[T any](job *millrace.Job, id string, src sources.Source[T]) millrace.Stream[T] {
	if p.o.records > 0 {
		src = sources.First(src, share(p.o.records, p.i, p.n))
	}
	return p.paced(job, id, p.o.rate, src)
}

// Generate is Options.Generate with the part's share; perSecond is what all parts make together.
func (p Part) Generate[T any](job *millrace.Job, id string, perSecond int64, f func(i int64) T) millrace.Stream[T] {
	cfg := sources.GeneratorConfig{Splits: p.o.Parallelism(), Count: share(p.o.records, p.i, p.n)}
	src := sources.Generate(cfg, f)
	if p.o.records > 0 && cfg.Count == 0 {
		src = sources.First(src, 0)
	}
	return p.paced(job, id, p.o.RateOr(perSecond), src)
}

func (p Part) paced[T any](job *millrace.Job, id string, rate int64, src sources.Source[T]) millrace.Stream[T] {
	if rate > 0 {
		src = sources.Throttle(src, max(share(rate, p.i, p.n), 1))
	}
	return p.o.from(job, id, src)
}
