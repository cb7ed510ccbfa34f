package topologies_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/topologies"
)

// Windows of ten minutes begin at 2, 7, 12, … minutes past the hour.
//
//	zip a  10:03 4 vehicles  windows from  9:57 10:02
//	zip a  10:08 5 vehicles  windows from 10:02 10:07: from 10:02 4+5=9
//	zip b  10:08 7 vehicles
//	zip a  10:19 1 vehicle   the watermark is 10:17: windows up to the one from 10:07 have closed
//	zip a  10:10 3 vehicles  late: its windows are from 10:02 and 10:07
//	zip a  10:13 2 vehicles  windows from 10:07, closed, and 10:12
func TestTraffic(t *testing.T) {
	from := func(zip string, hour, minute int, vehicles int64) millrace.Pane[string, int64] {
		return millrace.Pane[string, int64]{Key: zip, Start: at(hour, minute), End: at(hour, minute+10), Value: vehicles}
	}
	millracetest.Play(t, func(s *millracetest.Script) {
		in, updates, finals := s.Input[topologies.Counted](), s.Output[millrace.Pane[string, int64]](), s.Output[millrace.Pane[string, int64]]()
		s.Build(func(j *millrace.Job) {
			vehicles := topologies.Traffic(j.From("reports", in))
			vehicles.To("updates", updates, millrace.Update)
			vehicles.To("finals", finals, millrace.Append)
		})
		in.Send(topologies.Counted{Zip: "a", Time: at(10, 3), Vehicles: 4})
		updates.Want(from("a", 9, 57, 4), from("a", 10, 2, 4))
		in.Send(topologies.Counted{Zip: "a", Time: at(10, 8), Vehicles: 5}, topologies.Counted{Zip: "b", Time: at(10, 8), Vehicles: 7})
		updates.Want(from("a", 10, 2, 9), from("a", 10, 7, 5), from("b", 10, 2, 7), from("b", 10, 7, 7))
		finals.Want()
		in.Send(topologies.Counted{Zip: "a", Time: at(10, 19), Vehicles: 1})
		updates.Want(from("a", 10, 12, 1), from("a", 10, 17, 1))
		finals.Want(from("a", 9, 57, 4), from("a", 10, 2, 9), from("b", 10, 2, 7), from("a", 10, 7, 5), from("b", 10, 7, 7))
		in.Send(topologies.Counted{Zip: "a", Time: at(10, 10), Vehicles: 3}, topologies.Counted{Zip: "a", Time: at(10, 13), Vehicles: 2})
		updates.Want(from("a", 10, 12, 3))
		if s.Late() != 1 {
			s.T().Errorf("%d late, want 1", s.Late())
		}
		s.End()
		finals.Want(from("a", 10, 12, 3), from("a", 10, 17, 1))
	})
}

// The last second, ten times a second: windows that are open are shown every 100 ms, closed ones at once.
//
//	0.00 s  amount 1 price 10
//	0.95 s  amount 3 price 20   from 0.0 to 1.0: (10+60)/4=17.5; from 0.1, 0.2, … 0.9: 20
//	1.05 s                      the watermark is 1.00: the first window has closed
func TestTradesLive(t *testing.T) {
	begin := at(10, 0)
	second := func(tenth int, average float64) price {
		start := begin.Add(time.Duration(tenth) * 100 * time.Millisecond)
		return price{Start: start, End: start.Add(time.Second), Value: average}
	}
	trade := func(d time.Duration, amount, price float64) topologies.Trade {
		return topologies.Trade{DT: begin.Add(d), Amount: amount, Price: price}
	}
	millracetest.Play(t, func(s *millracetest.Script) {
		in, out := s.Input[topologies.Trade](), s.Output[price]()
		s.Build(func(j *millrace.Job) { topologies.TradesLive(j.From("trades", in)).To("out", out, millrace.Update) })
		in.Send(trade(0, 1, 10))
		out.Want()
		s.Advance(100 * time.Millisecond)
		var open []price
		for tenth := -9; tenth <= 0; tenth++ {
			open = append(open, second(tenth, 10))
		}
		out.Want(open...)
		in.Send(trade(950*time.Millisecond, 3, 20)) // the watermark, 0.90, closes those up to the one from -0.1
		out.Take()
		in.Send(trade(1050*time.Millisecond, 1, 40))
		out.Want(second(0, 17.5))
	})
}
