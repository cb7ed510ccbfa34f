package topologies_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/sinks"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/topologies"
)

type price = millrace.Pane[topologies.Everything, float64]

// The trades in the order in which they come, and the table of S17 computed by hand. Each trade belongs to two windows.
//
//	trade  time   amount  price  volume  windows that begin at
//	  1    10:01    2      10      20     9:55 10:00
//	  2    10:07    1      13      13    10:00 10:05
//	  3    10:12    4      11      44    10:05 10:10
//	  4     9:52    2       8      16     9:45  9:50  20 minutes behind 3
//	  5    10:36    1      20      20    10:30 10:35  the watermark is now 10:16
//	  6    10:16    4       9      36    10:10 10:15  20 minutes behind 5: on time
//	  7    10:09    5       1       5    10:00 10:05  27 minutes behind 5: both windows have closed
var trades = []topologies.Trade{
	{DT: at(10, 1), Amount: 2, Price: 10},
	{DT: at(10, 7), Amount: 1, Price: 13},
	{DT: at(10, 12), Amount: 4, Price: 11},
	{DT: at(9, 52), Amount: 2, Price: 8},
	{DT: at(10, 36), Amount: 1, Price: 20},
	{DT: at(10, 16), Amount: 4, Price: 9},
	{DT: at(10, 9), Amount: 5, Price: 1},
}

func at(hour, minute int) time.Time { return time.Date(2026, 3, 1, hour, minute, 0, 0, time.UTC) }

func window(hour, minute int, average float64) price {
	return price{Start: at(hour, minute), End: at(hour, minute+10), Value: average}
}

// Update: a row for each window that a trade changes.
//
//	trade 1   9:55 20/2=10                10:00 20/2=10
//	trade 2  10:00 (20+13)/(2+1)=33/3=11  10:05 13/1=13
//	trade 3  10:05 (13+44)/(1+4)=57/5=11.4  10:10 44/4=11
//	trade 4   9:45 16/2=8                  9:50 16/2=8
//	trade 5  10:30 20/1=20                10:35 20/1=20
//	trade 6  10:10 (44+36)/(4+4)=80/8=10  10:15 36/4=9
//	trade 7  late
func TestTradesAverageUpdates(t *testing.T) {
	want := [][]price{
		{window(9, 55, 10), window(10, 0, 10)},
		{window(10, 0, 11), window(10, 5, 13)},
		{window(10, 5, 11.4), window(10, 10, 11)},
		{window(9, 45, 8), window(9, 50, 8)},
		{window(10, 30, 20), window(10, 35, 20)},
		{window(10, 10, 10), window(10, 15, 9)},
		nil,
	}
	playTrades(t, millrace.Update, want, nil)
}

// Append: a row for each window, when the watermark reaches its end. The one of 10:36-0:20=10:16 closes the first five:
//
//	9:45 8   9:50 8   9:55 10   10:00 11   10:05 11.4
//
// and the end of the input the others: 10:10 10   10:15 9   10:30 20   10:35 20.
func TestTradesAverageAppends(t *testing.T) {
	closed := []price{window(9, 45, 8), window(9, 50, 8), window(9, 55, 10), window(10, 0, 11), window(10, 5, 11.4)}
	end := []price{window(10, 10, 10), window(10, 15, 9), window(10, 30, 20), window(10, 35, 20)}
	playTrades(t, millrace.Append, [][]price{nil, nil, nil, nil, closed, nil, nil}, end)
}

func playTrades(t *testing.T, m millrace.Mode, want [][]price, end []price) {
	t.Helper()
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[topologies.Trade](), s.Output[price]()
		s.Build(func(j *millrace.Job) { topologies.TradesAverage(j.From("trades", in), m).To("out", out, m) })
		for i, trade := range trades {
			in.Send(trade)
			out.Want(want[i]...)
		}
		s.End()
		out.Want(end...)
		if s.Late() != 1 {
			s.T().Errorf("%d late, want trade 7 alone", s.Late())
		}
	})
}

// Complete: every trade counts, however late.
//
//	 9:45 16/2=8   9:50 16/2=8   9:55 20/2=10
//	10:00 (20+13+5)/(2+1+5)=38/8=4.75   10:05 (13+44+5)/(1+4+5)=62/10=6.2
//	10:10 (44+36)/(4+4)=80/8=10  10:15 36/4=9  10:30 20  10:35 20
func TestTradesAverageComplete(t *testing.T) {
	want := []price{
		window(9, 45, 8), window(9, 50, 8), window(9, 55, 10), window(10, 0, 4.75), window(10, 5, 6.2), window(10, 10, 10), window(10, 15, 9),
		window(10, 30, 20), window(10, 35, 20),
	}
	job := millrace.NewJob("test")
	var got []price
	table := sinks.ForEachBatch(func(_ context.Context, _ int64, rows []sinks.Row[price]) error {
		got = got[:0]
		for _, r := range rows {
			got = append(got, r.Value)
		}
		return nil
	})
	topologies.TradesAverage(job.From("trades", sources.Slice(trades...)), millrace.Complete).To("out", table, millrace.Complete)
	run(t, job)
	slices.SortFunc(got, func(a, b price) int { return a.Start.Compare(b.Start) })
	if !slices.EqualFunc(got, want, func(a, b price) bool { return a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Value == b.Value }) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
