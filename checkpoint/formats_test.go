package checkpoint_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace-io/millrace/checkpoint"
	"github.com/millrace-io/millrace/flow"
)

var recordFormat = flag.Bool("record-format", false, "write testdata/format-N with the format of this build; see TestFormatsOfEarlierBuilds")

// readStore is the store that a directory of testdata holds.
func readStore(t *testing.T, dir string) *memStore {
	t.Helper()
	s := newMemStore()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if s.objects[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func writeStore(t *testing.T, s *memStore, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range s.objects {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// State directories and savepoints of every format that builds have written and that this one reads: what users have on their disks.
//
// When the format changes (formatVersion in wire.go) and older ones are still read, leave the directories here as they are, and add one
// with the new format: go test ./checkpoint -run Formats -record-format. It refuses to write over one that is there: a format
// is not what this build makes of it. When a format is given up, remove its directory and say so in the changelog.
func TestFormatsOfEarlierBuilds(t *testing.T) {
	if *recordFormat {
		recordThisFormat(t)
	}
	dirs, err := filepath.Glob("testdata/format-*")
	if err != nil {
		t.Fatal(err)
	}
	current := fmt.Sprintf("testdata/format-%d", checkpoint.FormatVersion)
	found := false
	for _, dir := range dirs {
		found = found || dir == current
		t.Run(filepath.Base(dir), func(t *testing.T) {
			want, stored := model{}, map[string][]byte{}
			text, err := os.ReadFile(filepath.Join(dir, "want.json"))
			if err == nil {
				err = json.Unmarshal(text, &stored)
			}
			if err != nil || len(stored) == 0 {
				t.Fatal(len(stored), err)
			}
			for key, value := range stored {
				want[key] = string(value)
			}
			state, savepoint := readStore(t, filepath.Join(dir, "state")), readStore(t, filepath.Join(dir, "savepoint"))
			l := begin(t, options(state))
			if e, _ := l.Newest(); e.Number != 14 || string(e.Meta) != "meta" || l.KeyGroups() != testGroups {
				t.Errorf("state of %+v with %d key groups", e, l.KeyGroups())
			}
			equal(t, "state directory", restore(t, l), want)
			equal(t, "savepoint", restore(t, begin(t, from(newMemStore(), savepoint))), want)
			blocks := put("later", "1") // and it goes on in the format of this build
			complete(t, l, 15, blocks)
			want.add(t, blocks)
			equal(t, "gone on", restore(t, begin(t, options(state))), want)
		})
	}
	if !found {
		t.Errorf("%s is not there: record it", current)
	}
}

// recordThisFormat writes a log with folded runs, segments, deletions and attempts, and a savepoint of it.
func recordThisFormat(t *testing.T) {
	dir := fmt.Sprintf("testdata/format-%d", checkpoint.FormatVersion)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("%s is there: %v", dir, err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	state, savepoint, want := newMemStore(), newMemStore(), model{}
	l := begin(t, options(state))
	for e := flow.Epoch(1); e <= 14; e++ {
		blocks := change(r, 6, 40)
		complete(t, l, e, blocks)
		want.add(t, blocks)
		if e%6 == 0 {
			if err := l.Fold(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	l = begin(t, options(state))
	pin(t, l, savepoint)
	writeStore(t, state, filepath.Join(dir, "state"))
	writeStore(t, savepoint, filepath.Join(dir, "savepoint"))
	stored := map[string][]byte{}
	for key, value := range want {
		stored[key] = []byte(value)
	}
	text, err := json.MarshalIndent(stored, "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "want.json"), append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
