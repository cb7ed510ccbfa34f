package millrace_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
)

// Answers that take a second are all awaited; inputs without one when a restore comes are asked again.
func TestStreamAsyncLookup(t *testing.T) {
	ask := func(ctx context.Context, n int) (int, error) {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if n < 0 {
			return 0, errors.New("no root")
		}
		return n * n, nil
	}
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out, failed := s.Input[int](), s.Output[int](), s.Output[int]()
		s.Build(func(j *millrace.Job) {
			squares := j.From("in", in).AsyncLookup("square", millrace.Lookup{Concurrency: 2, Unordered: true}, ask)
			squares.To("out", out)
			squares.Side(millrace.Unanswered[int]()).To("failed", failed)
		})
		in.SendTogether(1, 2, -3, 4)
		in.Send(5)
		for range 10 { // a question that waited for its turn is asked when another was answered
			s.Advance(time.Second)
		}
		out.Want(1, 4, 16, 25)
		failed.Want(-3)
	})
}
