package sinktest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// shelf is a store in memory that publishes with batches: a task's records go to a pile as they are written, which is published up to
// where the newest token says.
type shelf struct {
	mistake mistake

	mu        sync.Mutex
	piles     map[string][]string
	done      map[string]bool
	published []string
}

type pileToken struct {
	Pile   string
	Length int
	Due    bool
}

func (s *shelf) Commits() sinks.Cadence { return sinks.PerBatch }

func (s *shelf) Open(_ context.Context, at sinks.Instance) (sinks.Writer[string], error) {
	return &shelfWriter{shelf: s, at: at}, nil
}

func (s *shelf) Recover(_ context.Context, at sinks.Instance, prepared []sinks.Prepared) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := map[string]pileToken{}
	for _, p := range prepared {
		var t pileToken
		if err := json.Unmarshal(p.Token, &t); err != nil {
			return err
		}
		newest[t.Pile] = t
	}
	for _, name := range slices.Sorted(maps.Keys(newest)) {
		if s.mistake == takesAllThatWasWritten {
			newest[name] = pileToken{Pile: name, Length: len(s.piles[name])}
		}
		s.publish(newest[name])
	}
	for name := range s.piles {
		if strings.HasPrefix(name, at.Lineage+"/") {
			delete(s.piles, name)
		}
	}
	return nil
}

func (s *shelf) publish(t pileToken) {
	if s.done[t.Pile] {
		return
	}
	s.done[t.Pile] = true
	s.published = append(s.published, s.piles[t.Pile][:t.Length]...)
}

type shelfWriter struct {
	shelf *shelf
	at    sinks.Instance
	n     int
	added bool // since the last Prepare
	ends  bool
}

func (w *shelfWriter) pile() string {
	return fmt.Sprintf("%s/%d/%d/%d", w.at.Lineage, w.at.Attempt, w.at.Task, w.n)
}

func (w *shelfWriter) Write(_ context.Context, b *flow.Batch[string]) error {
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	for _, r := range b.Records {
		w.shelf.piles[w.pile()] = append(w.shelf.piles[w.pile()], r.Value)
		w.added = true
	}
	return nil
}

func (w *shelfWriter) Flush(context.Context) error { return nil }

func (w *shelfWriter) EndBatch(context.Context, int64) error {
	w.ends = true
	return nil
}

func (w *shelfWriter) Prepare(context.Context, flow.Epoch) ([]byte, error) {
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	t := pileToken{w.pile(), len(w.shelf.piles[w.pile()]), w.ends || w.shelf.mistake == publishesWithoutABatch}
	if t.Due {
		w.n++
	}
	added := w.added
	w.ends, w.added = false, false
	if t.Length == 0 || !added && w.shelf.mistake == saysOnlyWhatIsNew {
		return nil, nil
	}
	return json.Marshal(t)
}

func (w *shelfWriter) Commit(_ context.Context, tokens [][]byte) error {
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	for _, b := range tokens {
		var t pileToken
		if err := json.Unmarshal(b, &t); err != nil {
			return err
		}
		if t.Due {
			w.shelf.publish(t)
		}
	}
	return nil
}

func (w *shelfWriter) Close() error { return nil }

func shelfCase(m mistake) TransactionalCase[string] {
	return TransactionalCase[string]{
		New: func(*testing.T) (func() sinks.Sink[string], func(*testing.T, int) []string) {
			s := &shelf{mistake: m, piles: map[string][]string{}, done: map[string]bool{}}
			return func() sinks.Sink[string] { return s }, func(*testing.T, int) []string { return slices.Clone(s.published) }
		},
		Value: strconv.Itoa,
		Tasks: 3,
	}
}

func TestBatchSinkInMemory(t *testing.T) { RunTransactional(t, shelfCase(none)) }
