package oracle_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
)

// result is a row that comes out of any operator here: a pane of an aggregation, or a pair of records.
type result struct {
	Query string // which query has it
	Row   string
}

// played is what a job did.
type played struct {
	rows    map[string][]string // by query
	dropped millracetest.Dropped
}

// topology makes a job of one stream for each input.
type topology func(in []millrace.Stream[rec], out *millracetest.Output[result])

// play runs a batch through a topology until its input ends.
func (b *batch) play(t *testing.T, build topology) (p played) {
	t.Helper()
	v := millracetest.Variant{Seed: b.first, Parallelism: []int{1 + int(b.first/batchSeeds/3)%3}, Shuffle: true}
	if b.first/batchSeeds%25 == 7 {
		v.Parallelism, v.RestoreEvery = []int{1, 3, 2}, 60
	}
	millracetest.PlayOne(t, v, func(s *millracetest.Script) {
		var plain []*millracetest.Input[rec]
		var timed []*millracetest.TimedInput[rec]
		for range b.sides {
			if b.late {
				timed = append(timed, s.TimedInput[rec](b.splits))
				plain = append(plain, &timed[len(timed)-1].Input)
			} else {
				plain = append(plain, s.Input[rec](b.splits))
			}
		}
		out := s.Output[result]()
		s.Build(func(j *millrace.Job) {
			var in []millrace.Stream[rec]
			for i := range b.sides {
				id := fmt.Sprint("in", i)
				if b.late {
					in = append(in, j.From(id, timed[i]))
				} else {
					w := millrace.Watermark{Delay: time.Duration(b.disorder) * time.Millisecond, Idle: -1}
					in = append(in, j.From(id, plain[i]).EventTime(id+" clock", w, rec.time))
				}
			}
			build(in, out)
		})
		b.feed(s, plain)
		s.End()
		p = played{map[string][]string{}, s.Dropped()}
		for _, r := range out.Records() {
			text := r.Value.Row
			if b.times {
				text += separator + row(r.Time.UnixMilli())
			}
			p.rows[r.Value.Query] = append(p.rows[r.Value.Query], text)
		}
	})
	return p
}

// feed acts out the steps.
func (b *batch) feed(s *millracetest.Script, in []*millracetest.Input[rec]) {
	for i := 0; i < len(b.steps); i++ {
		x := &b.steps[i]
		split := in[x.side].Split(x.split)
		switch x.kind {
		case waits:
			s.Advance(time.Duration(x.ms) * time.Millisecond)
		case marks:
			split.Watermark(time.UnixMilli(x.ms))
		case sends:
			if b.late {
				split.SendAt(x.rec.time(), x.rec)
				continue
			}
			run := []rec{x.rec}
			for b.together && i+1 < len(b.steps) && b.steps[i+1].kind == sends && b.steps[i+1].side == x.side && b.steps[i+1].split == x.split {
				i++
				run = append(run, b.steps[i].rec)
			}
			split.SendTogether(run...)
		}
	}
}
