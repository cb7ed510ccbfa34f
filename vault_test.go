package millrace_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sinks"
)

// vault is a transactional sink in memory: the outside world of a job, which outlives its processes. A writer's output lies in an open
// transaction, then in a prepared one, then is public. Recover gives up all that is not among what it is handed.
type vault struct {
	mu       sync.Mutex
	next     int
	pending  map[int]*transaction // by token
	public   []int
	commits  []int // tokens in the order of their first commit
	cadence  sinks.Cadence
	newest   flow.Attempt
	recovers int
	restored flow.Epoch              // from which the newest attempt starts
	fault    func(step string) error // asked before each step; nil: none
	became   chan struct{}           // holds one: something became public
}

type transaction struct {
	attempt  flow.Attempt
	prepared bool
	rows     []int
}

func newVault() *vault {
	return &vault{pending: map[int]*transaction{}, cadence: sinks.PerEpoch, became: make(chan struct{}, 1)}
}

var errVaultFenced = errors.New("the vault has given up this transaction")

func (v *vault) step(name string) error {
	if v.fault == nil {
		return nil
	}
	return v.fault(name)
}

func (v *vault) Commits() sinks.Cadence { return v.cadence }

func (v *vault) Open(_ context.Context, at sinks.Instance) (sinks.Writer[int], error) {
	if v.cadence == sinks.AtOnce {
		return &memory[int]{}, nil
	}
	return &vaultWriter{v: v, attempt: at.Attempt}, nil
}

func (v *vault) Recover(_ context.Context, at sinks.Instance, prepared []sinks.Prepared) error {
	if err := v.step("recover"); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.recovers++
	v.newest, v.restored = at.Attempt, at.Restored
	for _, p := range prepared {
		if p.Epoch > at.Restored {
			return fmt.Errorf("a token of epoch %d is in epoch %d", p.Epoch, at.Restored)
		}
		if err := v.publish(p.Token); err != nil {
			return fmt.Errorf("epoch %d: %w", p.Epoch, err)
		}
	}
	clear(v.pending)
	return nil
}

// publish commits a token, as often as it is asked to; a token it does not know was lost.
func (v *vault) publish(token []byte) error {
	var n int
	if err := json.Unmarshal(token, &n); err != nil {
		return err
	}
	if slices.Contains(v.commits, n) {
		return nil
	}
	t := v.pending[n]
	if t == nil || !t.prepared {
		return errVaultFenced
	}
	delete(v.pending, n)
	v.commits = append(v.commits, n)
	v.public = append(v.public, t.rows...)
	select {
	case v.became <- struct{}{}:
	default:
	}
	return nil
}

type vaultWriter struct {
	v       *vault
	attempt flow.Attempt
	open    int // token of the open transaction, 0 for none
}

func (w *vaultWriter) Write(_ context.Context, b *flow.Batch[int]) error {
	if err := w.v.step("write"); err != nil {
		return err
	}
	w.v.mu.Lock()
	defer w.v.mu.Unlock()
	if w.attempt != w.v.newest {
		return sinks.ErrFenced
	}
	if w.open == 0 {
		w.v.next++
		w.open = w.v.next
		w.v.pending[w.open] = &transaction{attempt: w.attempt}
	}
	t := w.v.pending[w.open]
	if t == nil || t.prepared {
		return errVaultFenced
	}
	for i := range b.Records {
		t.rows = append(t.rows, b.Records[i].Value)
	}
	return nil
}

func (w *vaultWriter) Flush(context.Context) error { return errors.New("flushed, although it commits") }
func (w *vaultWriter) Close() error                { return nil }

func (w *vaultWriter) Prepare(context.Context, flow.Epoch) ([]byte, error) {
	if err := w.v.step("prepare"); err != nil {
		return nil, err
	}
	w.v.mu.Lock()
	defer w.v.mu.Unlock()
	if w.open == 0 {
		return nil, nil
	}
	w.v.pending[w.open].prepared = true
	token, err := json.Marshal(w.open)
	w.open = 0
	return token, err
}

func (w *vaultWriter) Commit(_ context.Context, tokens [][]byte) error {
	if err := w.v.step("commit"); err != nil {
		return err
	}
	w.v.mu.Lock()
	defer w.v.mu.Unlock()
	for _, token := range tokens {
		if err := w.v.publish(token); err != nil {
			return err
		}
	}
	return w.v.step("committed")
}

// all is what is public, in order.
func (v *vault) all() []int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.public)
}
