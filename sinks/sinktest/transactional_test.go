package sinktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// place is a transactional store in memory, with the mistakes that real sinks make on demand.
type place struct {
	mistake mistake

	mu        sync.Mutex
	published []string
	pending   map[string][]string // by name of the transaction: prepared or written, not published
	done      map[string]bool
	attempt   map[string]flow.Attempt // the newest, by lineage
}

type mistake int

const (
	none mistake = iota
	publishesAtPrepare
	publishesTwice
	loses
	losesTasksThatAreGone
	keepsWhatIsInNoRecord
	losesAtClose
	forgetsAbandoned
	takesDamage
	abortsOthers
	reusesTwoNames
	// Of sinks that publish with batches:
	saysOnlyWhatIsNew
	publishesWithoutABatch
	takesAllThatWasWritten
	mistakes
)

func newPlace(m mistake) *place {
	return &place{mistake: m, pending: map[string][]string{}, done: map[string]bool{}, attempt: map[string]flow.Attempt{}}
}

func (p *place) Commits() sinks.Cadence { return sinks.PerEpoch }

func (p *place) Open(_ context.Context, at sinks.Instance) (sinks.Writer[string], error) {
	return &placeWriter{place: p, at: at}, nil
}

type token struct {
	Lineage string
	Name    string
	Check   int
}

func (p *place) Recover(_ context.Context, at sinks.Instance, prepared []sinks.Prepared) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempt[at.Lineage] = at.Attempt
	for _, in := range prepared {
		if p.mistake == loses || p.mistake == losesTasksThatAreGone && in.Task >= at.Tasks {
			continue
		}
		if err := p.publish(in.Token); err != nil {
			return err
		}
	}
	for name := range p.pending {
		mine := len(name) > len(at.Lineage) && name[:len(at.Lineage)+1] == at.Lineage+"/" || p.mistake == abortsOthers
		if mine && p.mistake != keepsWhatIsInNoRecord {
			delete(p.pending, name)
		}
	}
	if p.mistake == keepsWhatIsInNoRecord {
		for name, vs := range p.pending {
			p.published = append(p.published, vs...)
			delete(p.pending, name)
		}
	}
	return nil
}

func (p *place) publish(b []byte) error {
	var tok token
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&tok); err != nil && p.mistake == takesDamage {
		return nil
	} else if err != nil {
		return err
	}
	vs, ok := p.pending[tok.Name]
	if !ok && !p.done[tok.Name] {
		return fmt.Errorf("transaction %q is gone", tok.Name)
	}
	p.published = append(p.published, vs...)
	if p.mistake != publishesTwice {
		delete(p.pending, tok.Name)
	}
	p.done[tok.Name] = true
	return nil
}

type placeWriter struct {
	place *place
	at    sinks.Instance
	open  []string
	n     int
	last  []byte
}

func (w *placeWriter) Write(_ context.Context, b *flow.Batch[string]) error {
	for _, r := range b.Records {
		w.open = append(w.open, r.Value)
	}
	return nil
}

func (w *placeWriter) Flush(context.Context) error { return nil }

func (w *placeWriter) Prepare(context.Context, flow.Epoch) ([]byte, error) {
	if len(w.open) == 0 {
		return nil, nil
	}
	w.place.mu.Lock()
	defer w.place.mu.Unlock()
	if w.place.attempt[w.at.Lineage] > w.at.Attempt {
		return nil, sinks.ErrFenced
	}
	name := fmt.Sprintf("%s/%d/%d/%d", w.at.Lineage, w.at.Attempt, w.at.Task, w.n)
	if w.place.mistake == reusesTwoNames {
		name = fmt.Sprintf("%s/%d/%d", w.at.Lineage, w.at.Task, w.n%2)
	}
	w.n++
	w.place.pending[name] = w.open
	if w.place.mistake == publishesAtPrepare {
		w.place.published = append(w.place.published, w.open...)
	}
	w.open = nil
	b, err := json.Marshal(token{w.at.Lineage, name, 1})
	w.last = b
	return b, err
}

func (w *placeWriter) Commit(_ context.Context, tokens [][]byte) error {
	w.place.mu.Lock()
	defer w.place.mu.Unlock()
	if w.place.mistake == forgetsAbandoned {
		tokens = tokens[len(tokens)-1:]
	}
	for _, b := range tokens {
		if err := w.place.publish(b); err != nil {
			return err
		}
	}
	return nil
}

func (w *placeWriter) Close() error {
	if w.place.mistake == losesAtClose {
		var tok token
		if json.Unmarshal(w.last, &tok) == nil {
			delete(w.place.pending, tok.Name)
		}
	}
	return nil
}

func caseOf(m mistake) TransactionalCase[string] {
	return TransactionalCase[string]{
		New: func(*testing.T) (func() sinks.Sink[string], func(*testing.T, int) []string) {
			p := newPlace(m)
			return func() sinks.Sink[string] { return p }, func(*testing.T, int) []string { return slices.Clone(p.published) }
		},
		Value: strconv.Itoa,
		Tasks: 3,
	}
}

func TestTransactionalSinkInMemory(t *testing.T) { RunTransactional(t, caseOf(none)) }

// TestMistakesAreFound: a suite is worth what it finds.
func TestMistakesAreFound(t *testing.T) {
	for m := none + 1; m < mistakes; m++ {
		c := caseOf(m)
		if m >= saysOnlyWhatIsNew {
			c = shelfCase(m)
		}
		chosen, random := 0, 0
		for _, p := range c.promises() {
			if p.keep(c.lineage(t, "lineage")) != nil {
				chosen++
			}
		}
		for range 100 {
			if c.history(t, rand.Uint64()) != nil {
				random++
			}
		}
		if chosen == 0 || random == 0 && m != takesDamage && m != abortsOthers {
			t.Errorf("mistake %d: found by %d chosen and %d of 100 random histories", m, chosen, random)
		}
	}
}
