package checkpoint_test

import (
	"sync"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/checkpoint/dirstore"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/internal/delta"
)

// Folds run beside epochs being completed, as the engine runs them: under the race detector neither may touch what the other
// writes, and no epoch is lost.
func TestFoldRunsBesideComplete(t *testing.T) {
	s, err := dirstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l, err := checkpoint.Open(t.Context(), checkpoint.Options{Store: s, Job: "beside", FoldRuns: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	var folds sync.WaitGroup
	stop := make(chan struct{})
	folds.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := l.Fold(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	const epochs = 100
	for e := range flow.Epoch(epochs) {
		b := delta.Block{Operator: "o", State: "s", Data: delta.AppendPut(nil, []byte("k"), []byte("v")), Count: 1}
		if err := l.Complete(t.Context(), e+1, []delta.Block{b}, nil); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	folds.Wait()
	if e, ok := l.Newest(); !ok || e.Number != epochs {
		t.Fatalf("newest epoch %v, want %d", e.Number, epochs)
	}
}
