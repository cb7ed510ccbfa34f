package millrace

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/sources"
	"github.com/millrace-io/millrace/sources/filesource"
)

// Static is a table that does not change while the job runs: Stream.JoinStatic joins with it. It is read once per process, when
// the first job that joins with it starts, and held in memory; all tasks share it. A key may have several rows.
type Static[K comparable, V any] struct {
	config StaticConfig
	key    func(V) K
	read   func(ctx context.Context, row func(V) error) error

	once sync.Once
	rows map[K][]V
	sum  string // SHA-256 of the rows
	err  error
}

// StaticConfig bounds a static table. The zero StaticConfig works.
type StaticConfig struct {
	// BytesMax is how much memory the table may take, about: what its rows take when encoded, and 64 bytes for each. A larger one is
	// an error at start. The default is 64 MiB.
	BytesMax int64
}

const (
	staticBytesMax = 64 << 20
	staticRowBytes = 64 // a map's entry and a slice, about
)

// NewStatic is a table of what a source has when the job starts: a slice, CSV files, a topic. A record that the source cannot decode
// is an error at start.
func NewStatic[V any, K comparable](src sources.Source[V], c StaticConfig, key func(V) K) *Static[K, V] {
	return &Static[K, V]{config: c, key: key, read: func(ctx context.Context, row func(V) error) error { return readAll(ctx, src, row) }}
}

// StaticCSV is a table read from a CSV file whose first line names the columns; see filesource.CSV for how they fill a V.
func StaticCSV[V any, K comparable](path string, c StaticConfig, key func(V) K) *Static[K, V] {
	return &Static[K, V]{config: c, key: key, read: func(ctx context.Context, row func(V) error) error {
		if _, err := os.Stat(path); err != nil {
			return err
		}
		name := quoteMeta(filepath.Base(path))
		return readAll(ctx, filesource.CSV[V](filesource.CSVConfig{Config: filesource.Config{Dir: filepath.Dir(path), Pattern: name, Once: true}}), row)
	}}
}

// quoteMeta makes a pattern that matches a name alone.
func quoteMeta(name string) string {
	var b bytes.Buffer
	for _, c := range name {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// StaticJSON is a table read from a file of JSON: one array of rows, or row after row as in JSON lines.
func StaticJSON[V any, K comparable](path string, c StaticConfig, key func(V) K) *Static[K, V] {
	return &Static[K, V]{config: c, key: key, read: func(_ context.Context, row func(V) error) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := readJSON(data, row); err != nil {
			return fmt.Errorf("%s, %w", path, err)
		}
		return nil
	}}
}

// readJSON gives the rows in data; errors begin with the line.
func readJSON[V any](data []byte, row func(V) error) error {
	d := json.NewDecoder(bytes.NewReader(data))
	line := func() int { return 1 + bytes.Count(data[:d.InputOffset()], []byte("\n")) }
	array := bytes.HasPrefix(bytes.TrimSpace(data), []byte("["))
	if array {
		if _, err := d.Token(); err != nil {
			return fmt.Errorf("line %d: %w", line(), err)
		}
	}
	values := codec.JSON[V]()
	for !array || d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) && !array {
			return nil
		} else if err != nil {
			return fmt.Errorf("line %d: %w", line(), err)
		}
		v, err := values.Decode(raw)
		if err != nil {
			return fmt.Errorf("line %d: %w", line(), err)
		}
		if err := row(v); err != nil {
			return fmt.Errorf("line %d: %w", line(), err)
		}
	}
	if _, err := d.Token(); err != nil { // the array's end
		return fmt.Errorf("line %d: %w", line(), err)
	}
	return nil
}

// load reads the table, once.
func (s *Static[K, V]) load(ctx context.Context) error {
	s.once.Do(func() { s.err = s.fill(ctx) })
	return s.err
}

func (s *Static[K, V]) fill(ctx context.Context) error {
	values, err := codec.Derive[V]()
	if err != nil {
		return fmt.Errorf("static table: rows: %w", err)
	}
	most := s.config.BytesMax
	if most == 0 {
		most = staticBytesMax
	}
	rows, sum := map[K][]V{}, sha256.New()
	var encoded []byte
	taken, n := int64(0), 0
	err = s.read(ctx, func(v V) error {
		encoded = values.Append(encoded[:0], &v)
		if taken += int64(len(encoded)) + staticRowBytes; taken > most {
			return fmt.Errorf("%d rows take more than %d bytes of memory: raise StaticConfig.BytesMax, or join the table as a stream", n, most)
		}
		write(sum, encoded)
		k := s.key(v)
		rows[k] = append(rows[k], v)
		n++
		return nil
	})
	if err == nil && n == 0 {
		err = errors.New("it has no rows")
	}
	if err != nil {
		return fmt.Errorf("static table: %w", err)
	}
	s.rows, s.sum = rows, hex.EncodeToString(sum.Sum(nil))
	return nil
}

func write(to hash.Hash, b []byte) { _, _ = to.Write(b) } // never fails

// readAll gives the records that a source has now.
func readAll[V any](ctx context.Context, src sources.Source[V], row func(V) error) error {
	if src == nil {
		return errors.New("source is nil")
	}
	if c, ok := src.(sources.Checker); ok {
		if err := c.Check(ctx); err != nil {
			return err
		}
	}
	splits, err := src.Splits(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range splits {
		if err := readSplit(ctx, src, s, row); err != nil {
			return err
		}
	}
	return nil
}

func readSplit[V any](ctx context.Context, src sources.Source[V], s flow.Split, row func(V) error) (err error) {
	r, err := openNow(ctx, src, s)
	if r == nil || err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b := &sources.Batch[V]{Records: make([]flow.Record[V], 0, 256)}
	for {
		b.Reset()
		end := r.Read(ctx, b)
		for _, bad := range b.Bad {
			return fmt.Errorf("%s: %s", bad.Position, bad.Reason)
		}
		for i := range b.Records {
			if err := row(b.Records[i].Value); err != nil {
				return err
			}
		}
		switch {
		case end == io.EOF || end == nil && b.AtEnd: //nolint:errorlint // io.EOF itself is the end of a split
			return nil
		case end != nil:
			return fmt.Errorf("split %q: %w", s.ID, end)
		}
	}
}

// openNow opens a reader that ends behind what is there now, if the source has such; nil: there is nothing.
func openNow[V any](ctx context.Context, src sources.Source[V], s flow.Split) (sources.Reader[V], error) {
	b, ok := sources.BounderOf(src)
	if !ok {
		return src.Open(ctx, s, s.Start)
	}
	until, err := b.Latest(ctx, s, s.Start, 0)
	if err != nil && err != io.EOF { //nolint:errorlint // as above
		return nil, fmt.Errorf("split %q: %w", s.ID, err)
	}
	if bytes.Equal(until, s.Start) {
		return nil, nil
	}
	return b.OpenUntil(ctx, s, s.Start, until)
}
