package main

import (
	"context"
	"sync"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/millrace-io/millrace/benchmarks/harness"
	"github.com/millrace-io/millrace/benchmarks/workload"
	"github.com/millrace-io/millrace/flow"
)

// The floor is what an engineer would write who needs this one job and nothing else: goroutines, channels, pooled batches
// and a flat table. It has the engine's records, hash, batch size and hops, and none of its back-pressure without
// blocking, barriers, snapshots, TTL, watermarks, supervision or metrics. What it does not need it does not do: batches
// are not cleared before they go back, channels simply block, the table cannot delete.

const counters = workload.Counters

type (
	eventBatch  struct{ records []flow.Record[workload.Event] }
	resultBatch struct {
		records []flow.Record[workload.Result]
	}
)

// floor is one run.
type floor struct {
	events   [counters]chan *eventBatch
	results  chan *resultBatch
	eventsIn sync.Pool // of *eventBatch
	resultIn sync.Pool // of *resultBatch
}

// runFloor is a workload.Job. It does not watch ctx: the generator is stopped instead, and the goroutines end one after
// the other as the channels behind them close.
func runFloor(_ context.Context, g *workload.Generator, m *workload.Meter) error {
	f := &floor{results: make(chan *resultBatch, counters*workload.LaneBatches)}
	f.eventsIn.New = func() any { return &eventBatch{make([]flow.Record[workload.Event], 0, workload.BatchRecords)} }
	f.resultIn.New = func() any { return &resultBatch{make([]flow.Record[workload.Result], 0, workload.BatchRecords)} }
	var counting sync.WaitGroup
	for i := range f.events {
		f.events[i] = make(chan *eventBatch, workload.LaneBatches)
		counting.Go(func() { f.count(f.events[i]) })
	}
	done := make(chan struct{})
	go func() {
		f.sink(m)
		close(done)
	}()
	err := f.source(g)
	for _, c := range f.events {
		close(c)
	}
	counting.Wait()
	close(f.results)
	<-done
	return err
}

// source hashes each record's key and puts the record into the open batch of the counter that owns the key.
func (f *floor) source(g *workload.Generator) error {
	var open [counters]*eventBatch
	for i := range open {
		open[i] = f.eventsIn.Get().(*eventBatch)
	}
	for !g.Done() {
		now := harness.NowNS()
		due := g.Due(now)
		for range due {
			timeNS, e := g.Next(now)
			hash := xxhash.Sum64String(e.Key)
			to := hash & (counters - 1)
			b := open[to]
			n := len(b.records)
			b.records = b.records[:n+1]
			r := &b.records[n]
			r.TimeNS, r.Hash, r.Value = timeNS, hash, e
			if n+1 == workload.BatchRecords {
				f.events[to] <- b
				open[to] = f.eventsIn.Get().(*eventBatch)
			}
		}
		if due > 0 || !g.OpenLoop() {
			continue
		}
		f.flush(&open)
		if err := g.Wait(); err != nil {
			return err
		}
	}
	f.flush(&open)
	return nil
}

// flush sends the open batches that hold something.
func (f *floor) flush(open *[counters]*eventBatch) {
	for i, b := range open {
		if len(b.records) > 0 {
			f.events[i] <- b
			open[i] = f.eventsIn.Get().(*eventBatch)
		}
	}
}

// count adds one to the key of each record. It sends an open batch when it is full or when there is nothing else to do.
func (f *floor) count(in <-chan *eventBatch) {
	table := newTable(1 << 16)
	open := f.resultIn.Get().(*resultBatch)
	for b := range in {
		for i := range b.records {
			r := &b.records[i]
			count := table.at(r.Hash, r.Value.Key)
			*count++
			n := len(open.records)
			open.records = open.records[:n+1]
			o := &open.records[n]
			o.TimeNS, o.Hash = r.TimeNS, r.Hash
			o.Value = workload.Result{Key: r.Value.Key, EmitNS: r.Value.EmitNS, Count: *count}
			if n+1 == workload.BatchRecords {
				f.results <- open
				open = f.resultIn.Get().(*resultBatch)
			}
		}
		b.records = b.records[:0]
		f.eventsIn.Put(b)
		if len(in) == 0 && len(open.records) > 0 {
			f.results <- open
			open = f.resultIn.Get().(*resultBatch)
		}
	}
}

// sink hands batches to the meter.
func (f *floor) sink(m *workload.Meter) {
	for b := range f.results {
		m.Write(harness.NowNS(), b.records)
		b.records = b.records[:0]
		f.resultIn.Put(b)
	}
}

// table counts by key: an open-addressing index of tags and positions, the entries in one slice and the bytes of the keys
// in another, nothing of which the collector looks into.
type table struct {
	slots   []uint64 // upper half of the hash << 32 | position in entries + 1; 0 is empty
	mask    uint64
	entries []entry
	bytes   []byte
}

type entry struct {
	offset, length uint32 // of the key in bytes
	count          int64
}

// newTable makes a table with n slots, a power of two.
func newTable(n int) *table {
	return &table{slots: make([]uint64, n), mask: uint64(n - 1)}
}

// at is the count of key, new at 0. The pointer is good until the next call.
func (t *table) at(hash uint64, key string) *int64 {
	for i := hash >> 32 & t.mask; ; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s == 0 {
			return t.insert(hash, key)
		}
		if s>>32 == hash>>32 {
			e := &t.entries[uint32(s)-1]
			if unsafe.String(unsafe.SliceData(t.bytes[e.offset:]), e.length) == key {
				return &e.count
			}
		}
	}
}

//go:noinline
func (t *table) insert(hash uint64, key string) *int64 {
	if 4*len(t.entries) >= 3*len(t.slots) {
		t.grow()
	}
	t.entries = append(t.entries, entry{offset: uint32(len(t.bytes)), length: uint32(len(key))})
	t.bytes = append(t.bytes, key...)
	t.put(hash>>32<<32 | uint64(len(t.entries)))
	return &t.entries[len(t.entries)-1].count
}

// put stores a slot at the first free place of its tag.
func (t *table) put(slot uint64) {
	i := slot >> 32 & t.mask
	for t.slots[i] != 0 {
		i = (i + 1) & t.mask
	}
	t.slots[i] = slot
}

// grow doubles the index from the tags alone.
func (t *table) grow() {
	old := t.slots
	t.slots, t.mask = make([]uint64, 2*len(old)), uint64(2*len(old)-1)
	for _, s := range old {
		if s != 0 {
			t.put(s)
		}
	}
}
