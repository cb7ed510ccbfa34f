package millrace_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/operators"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
)

func TestTimesSaturate(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want int64
	}{
		{time.Time{}, operators.TimeMinNS},
		{time.Date(9999, 12, 31, 23, 59, 59, 999, time.UTC), operators.TimeMaxNS},
		{time.Date(-4000, 1, 1, 0, 0, 0, 0, time.UTC), operators.TimeMinNS},
		{time.Unix(-1, 5), -999999995},
		{time.Unix(0, math.MaxInt64), operators.TimeMaxNS},
		{time.Unix(1, 2), 1000000002},
	} {
		if got := operators.NanosOf(c.at); got != c.want {
			t.Errorf("NanosOf(%v) = %d, want %d", c.at, got, c.want)
		}
	}
	if got := operators.Minus(operators.TimeMinNS+5, 6); got != operators.TimeMinNS {
		t.Errorf("Minus wraps: %d", got)
	}
	if got := operators.Plus(operators.TimeMaxNS-5, 6); got != operators.TimeMaxNS {
		t.Errorf("Plus wraps: %d", got)
	}
}

func TestUndatedRecordFailsTheJobOrIsLate(t *testing.T) {
	run := func(w millrace.Watermark) (*millrace.Query, error) {
		j := millrace.NewJob("undated")
		in := j.From("in", sources.Slice(time.Unix(1, 0), time.Time{}, time.Unix(2, 0)))
		in.EventTime("clock", w, func(at time.Time) time.Time { return at }).To("out", sinks.Discard[time.Time]())
		q, err := j.Start(context.Background(), millrace.Config{Parallelism: 1, RestartsMax: -1})
		if err != nil {
			t.Fatal(err)
		}
		return q, q.Await(context.Background())
	}
	if _, err := run(millrace.Watermark{}); !errors.Is(err, operators.ErrUndated) || !strings.Contains(err.Error(), `"clock"`) {
		t.Errorf("undated record: error %v, want one that names the operator", err)
	}
	q, err := run(millrace.Watermark{DropUndated: true})
	if err != nil {
		t.Fatal(err)
	}
	if late := q.Progress().Operators[0].Late; late != 1 {
		t.Errorf("%d late records, want 1", late)
	}
}
