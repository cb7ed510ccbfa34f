package millrace_test

import (
	"context"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/sources"
)

// uneven has a split of two records and one without end.
type uneven struct{}

func (uneven) of(split string) sources.Source[int] {
	if split == "short" {
		return sources.Slice(1, 2)
	}
	return sources.Generate(sources.GeneratorConfig{}, func(i int64) int { return int(i) })
}

func (u uneven) Splits(ctx context.Context, known []string) (all []flow.Split, err error) {
	if len(known) > 0 {
		return nil, nil
	}
	for _, id := range []string{"short", "long"} {
		inner, err := u.of(id).Splits(ctx, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, flow.Split{ID: id, Start: inner[0].Start})
	}
	return all, nil
}

func (u uneven) Open(ctx context.Context, s flow.Split, from flow.Position) (sources.Reader[int], error) {
	inner, err := u.of(s.ID).Splits(ctx, nil)
	if err != nil {
		return nil, err
	}
	return u.of(s.ID).Open(ctx, inner[0], from)
}

// A split that had ended is not opened after a restore, and what it gave counts all the same: the others do not wait for it.
func TestFirstGoesOnWhenASplitHadEndedBeforeARestore(t *testing.T) {
	millracetest.PlayOne(t, millracetest.Plain(), func(s *millracetest.Script) {
		out := s.Output[int]()
		s.Build(func(j *millrace.Job) {
			j.From("in", sources.First(sources.Throttle[int](uneven{}, 1), 10)).To("out", out)
		})
		s.Advance(5 * time.Second)
		s.Snapshot()
		s.Restore(2)
		s.Advance(time.Minute)
		if n := len(out.Values()); n != 10 {
			s.T().Errorf("%d records, want 10", n)
		}
	})
}
