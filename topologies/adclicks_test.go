package topologies_test

import (
	"testing"
	"time"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/millracetest"
	"github.com/millrace-io/millrace/topologies"
)

// Rows of the table below. The watermark is a minute behind the slower input; a row without a match is proven when it is past the hour
// after the impression, or past the click.
//
//	a  shown 12:00  clicked 12:30  a match
//	b  shown 12:10                 no click: proven behind 13:10
//	c  shown 12:20  clicked 13:25  65 minutes: no match
//	d               clicked 12:40  never shown: proven behind 12:40
//	e  shown 13:11  clicked 13:11  a match
//	f  shown 13:12
var (
	aRow   = topologies.AdClick{Ad: "a", Shown: noon(0), Clicked: noon(30)}
	bShown = topologies.AdClick{Ad: "b", Shown: noon(10)}
	cShown = topologies.AdClick{Ad: "c", Shown: noon(20)}
	cClick = topologies.AdClick{Ad: "c", Clicked: noon(85)}
	dClick = topologies.AdClick{Ad: "d", Clicked: noon(40)}
	eRow   = topologies.AdClick{Ad: "e", Shown: noon(71), Clicked: noon(71)}
	fShown = topologies.AdClick{Ad: "f", Shown: noon(72)}
)

func noon(minutes int) time.Time {
	return time.Date(2026, 3, 1, 12, minutes, 0, 0, time.UTC)
}

func TestAdClicks(t *testing.T) {
	type rows = []topologies.AdClick
	for kind, want := range map[topologies.Join]struct{ match, proven, hour, end rows }{
		topologies.Inner: {match: rows{aRow}, proven: rows{eRow}},
		topologies.Left:  {match: rows{aRow}, proven: rows{eRow}, hour: rows{bShown}, end: rows{cShown, fShown}},
		topologies.Right: {match: rows{aRow}, proven: rows{eRow, dClick}, end: rows{cClick}},
		topologies.Full:  {match: rows{aRow}, proven: rows{eRow, dClick}, hour: rows{bShown}, end: rows{cShown, fShown, cClick}},
		topologies.Semi:  {match: rows{{Ad: "a", Shown: noon(0)}}, proven: rows{{Ad: "e", Shown: noon(71)}}},
	} {
		name, _ := kind.MarshalText()
		t.Run(string(name), func(t *testing.T) {
			millracetest.Play(t, func(s *millracetest.Script) {
				shown, clicked, out := s.Input[topologies.Shown](), s.Input[topologies.Clicked](), s.Output[topologies.AdClick]()
				s.Build(func(j *millrace.Job) {
					topologies.AdClicks(j.From("shown", shown), j.From("clicked", clicked), kind).To("out", out)
				})
				shown.Send(topologies.Shown{Ad: "a", Time: noon(0)}, topologies.Shown{Ad: "b", Time: noon(10)}, topologies.Shown{Ad: "c", Time: noon(20)})
				clicked.Send(topologies.Clicked{Ad: "a", Time: noon(30)}, topologies.Clicked{Ad: "d", Time: noon(40)})
				out.Want(want.match...)
				shown.Send(topologies.Shown{Ad: "e", Time: noon(71)}) // the watermark of the clicks, 12:39, holds
				out.Want()
				clicked.Send(topologies.Clicked{Ad: "e", Time: noon(71)}) // 13:10: a click on b at that time may yet come
				out.Want(want.proven...)
				shown.Send(topologies.Shown{Ad: "f", Time: noon(72)})
				out.Want()
				clicked.Send(topologies.Clicked{Ad: "c", Time: noon(85)}) // 13:11
				out.Want(want.hour...)
				s.End()
				out.Want(want.end...)
				if s.Late() != 0 {
					s.T().Errorf("%d late, want none", s.Late())
				}
			})
		})
	}
}
