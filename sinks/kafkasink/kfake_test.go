//go:build !integration

package kafkasink_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/millrace-io/millrace/internal/invariants"
	"github.com/millrace-io/millrace/internal/kafka"
)

// shared says whether the broker outlives the test, so that topics must be removed.
const shared = false

var histories = invariants.Sized(40, 8)

func seeds(t testing.TB) []string {
	c, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

// aged is a broker that gave id many producers before it was started again, and the newest of them. Its log of them is written
// here: to ask for so many takes as long as all other tests.
func aged(t testing.TB, id string) (*broker, kafka.Producer) {
	t.Helper()
	dir, old := t.TempDir(), kafka.Producer{ID: 4711, Epoch: 32_700}
	before, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	before.Close()
	entry := fmt.Appendf([]byte{1, 0}, `{"type":"init","pid":%d,"epoch":%d,"txid":%q,"timeout":60000}`, old.ID, old.Epoch, id)
	log := binary.LittleEndian.AppendUint32(nil, uint32(len(entry)))
	log = binary.LittleEndian.AppendUint32(log, crc32.Checksum(entry, crc32.MakeTable(crc32.Castagnoli)))
	if err := os.WriteFile(filepath.Join(dir, "pids.log"), append(log, entry...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, b := fake(t, kfake.DataDir(dir))
	tx := transactionOf(t, b, id)
	next, err := tx.Init(t.Context(), old, time.Minute)
	if want := (kafka.Producer{ID: old.ID, Epoch: old.Epoch + 1}); err != nil || next != want {
		t.Fatalf("the producer behind %v is %v (%v), want %v: the broker has not read its log", old, next, err, want)
	}
	return b, next
}
