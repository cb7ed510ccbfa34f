package badgerstate

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plenty is a disk that never fills.
func plenty(string) (int64, error) { return 1 << 50, nil }

func openDB(t testing.TB, c Config) *DB {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	d, err := open(c, plenty)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func openStore(t testing.TB, d *DB, task, operator, name string) state.ByteStore {
	t.Helper()
	s, err := d.Task(task).Open(operator, name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// random is seeded by the clock, or by MILLRACE_SEED to repeat a run.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MILLRACE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with MILLRACE_SEED=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

func put(t testing.TB, s state.ByteStore, key, value string) {
	t.Helper()
	if err := s.Write([]state.Write{{Group: 1, Key: []byte(key), Value: []byte(value)}}); err != nil {
		t.Fatal(err)
	}
}

// get is the value of key in group 1, or "-" when it is absent.
func get(t testing.TB, s state.ByteStore, key string) string {
	t.Helper()
	v, ok, err := s.Get(1, []byte(key), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return "-"
	}
	return string(v)
}
