package sim

import (
	"fmt"
	"slices"
	"strings"
)

// row is what of an event is the same in every order of steps.
type row struct {
	op, key    string
	at, n      int64
	split, seq int64
}

// rowOf is the row of a published event.
func rowOf(e Event) row {
	switch op := e.Op; {
	case strings.HasSuffix(op, "-counted"), op == opCount:
		return row{op: op, key: e.Key, n: e.N}
	case op == opWindow, op == opSlide, op == opTimers:
		return row{op: op, key: e.Key, at: e.AtNS, n: e.N}
	case op == opDedup:
		return row{op: op, key: e.Key, at: e.AtNS}
	default:
		return row{op: op, key: e.Key, at: e.AtNS, split: e.Split, seq: e.Seq}
	}
}

// reference is what the job has to publish, how often.
func (w *world) reference() map[row]int {
	var all []Event
	for _, events := range w.events {
		for _, e := range events {
			if keep(e) || !slices.Contains(w.s.first, opFilter) {
				all = append(all, e)
			}
		}
	}
	want := map[row]int{}
	for _, b := range w.s.branches {
		rows := expected(b.op, all)
		if b.counted {
			counts := map[string]int64{}
			for _, r := range rows {
				counts[r.key]++
			}
			rows = numbered(b.op+"-counted", counts)
		}
		for _, r := range rows {
			want[r]++
		}
	}
	return want
}

func numbered(op string, counts map[string]int64) (rows []row) {
	for key, n := range counts {
		for i := range n {
			rows = append(rows, row{op: op, key: key, n: i + 1})
		}
	}
	return rows
}

// expected is what an operator makes of all events.
func expected(op string, all []Event) (rows []row) {
	type cell struct {
		key string
		at  int64
	}
	counts, cells := map[string]int64{}, map[cell]int64{}
	for _, e := range all {
		switch op {
		case opCount:
			counts[e.Key]++
		case opWindow:
			cells[cell{e.Key, e.AtNS - e.AtNS%paneNS}]++
		case opSlide:
			for start := e.AtNS - e.AtNS%slideNS; start > e.AtNS-paneNS; start -= slideNS {
				cells[cell{e.Key, start}] += e.Seq
			}
		case opTimers:
			cells[cell{e.Key, paneEnd(e.AtNS)}]++
		case opDedup:
			cells[cell{e.Key, e.AtNS}] = 0
		default:
			rows = append(rows, row{op: op, key: e.Key, at: e.AtNS, split: e.Split, seq: e.Seq})
		}
	}
	for c, n := range cells {
		rows = append(rows, row{op: op, key: c.key, at: c.at, n: n})
	}
	return append(rows, numbered(op, counts)...)
}

// verify compares what is published with what had to be.
func (w *world) verify() {
	want := w.reference()
	type lane struct {
		op, key string
		split   int64
	}
	newest := map[lane]int64{}
	counts := map[string]int64{}
	for _, r := range w.out.log {
		if r.tx.state != committed {
			continue
		}
		e := r.event
		want[rowOf(e)]--
		if !w.s.ordered(e.Op) {
			continue
		}
		if counted := rowOf(e).at == 0 && e.N > 0; counted {
			if at := e.Op + " " + e.Key; e.N <= counts[at] {
				w.violates("%s: number %d follows %d", at, e.N, counts[at])
			} else {
				counts[at] = e.N
			}
		}
		at := lane{e.Op, e.Key, e.Split}
		if last, ok := newest[at]; ok && e.Seq < last && !strings.HasSuffix(e.Op, "-counted") {
			w.violates("%v: record %d follows %d", at, e.Seq, last)
		}
		newest[at] = e.Seq
	}
	var lost, extra []string
	for r, n := range want {
		switch {
		case n > 0:
			lost = append(lost, fmt.Sprintf("%+v (%d)", r, n))
		case n < 0:
			extra = append(extra, fmt.Sprintf("%+v (%d)", r, -n))
		}
	}
	if len(lost)+len(extra) > 0 {
		slices.Sort(lost)
		slices.Sort(extra)
		w.violates("%d rows lost: %s; %d rows too many: %s", len(lost), few(lost), len(extra), few(extra))
	}
	for id, t := range w.out.txs {
		if t.state < committed && t.attempt == w.out.recovers[t.sink] {
			w.violates("transaction %s of epoch %d is left %v by a job that has finished", id, t.epoch, t.state)
		}
	}
}

func few(all []string) string {
	if len(all) > 4 {
		all = append(all[:4:4], "…")
	}
	return strings.Join(all, ", ")
}
