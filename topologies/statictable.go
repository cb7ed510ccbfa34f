package topologies

import (
	"flag"
	"fmt"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sources"
)

// staticTable is the flags of a join with a static table.
type staticTable struct {
	path string
	kind Join
}

func registerStatic(fs *flag.FlagSet, of string) *staticTable {
	t := &staticTable{}
	fs.StringVar(&t.path, "table", "", "`FILE` of the static table of "+of+"; without it a small built-in one")
	fs.TextVar(&t.kind, "kind", Inner, "of the join: inner or left")
	return t
}

// read is the table of the file, or else of these rows.
func (t *staticTable) read[V any](key func(V) string, rows ...V) (*millrace.Static[string, V], error) {
	if t.kind != Inner && t.kind != Left {
		return nil, fmt.Errorf("--kind is %s, but nothing ever proves that no record will come for a row of a static table: want inner or left", joinNames[t.kind])
	}
	if t.path != "" {
		return millrace.StaticJSON(t.path, millrace.StaticConfig{}, key), nil
	}
	return millrace.NewStatic(sources.Slice(rows...), millrace.StaticConfig{}, key), nil
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}
