package sinks

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace-io/millrace/flow"
)

// column is a column of a table of structs.
type column struct {
	name  string
	path  []int // of the field, through structs
	right bool  // numbers stand at the right
}

// fieldColumns are the columns of the fields of T, none when it has no exported ones.
func fieldColumns[T any]() []column { return columnsOf(reflect.TypeFor[T](), "", nil) }

func columnsOf(t reflect.Type, prefix string, path []int) (all []column) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("millrace"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		at := append(append([]int{}, path...), i)
		inner := []column(nil)
		if !speaks(f.Type) {
			inner = columnsOf(f.Type, prefix+name+".", at)
		}
		if len(inner) == 0 {
			inner = []column{{prefix + name, at, number(f.Type)}}
		}
		all = append(all, inner...)
	}
	return all
}

// speaks says that values of t have a text of their own.
func speaks(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Time]() || t.Implements(reflect.TypeFor[fmt.Stringer]()) || t.Implements(reflect.TypeFor[fmt.Formatter]())
}

func number(t reflect.Type) bool {
	return reflect.Int <= t.Kind() && t.Kind() <= reflect.Complex128 && !speaks(t)
}

// consoleTable writes a table for each batch.
type consoleTable[T any] struct {
	to   *console[T]
	mode Mode
	rows []Row[T] // of the batch; only those that are shown
	more int      // how many are not
	any  bool     // the batch has records
	kind bool     // not all are inserts
}

func (w *consoleTable[T]) Write(_ context.Context, b *flow.Batch[T]) error {
	for i := range b.Records {
		w.any = true
		kind := b.KindOf(i)
		if w.mode == Complete && kind == flow.Delete { // the table has become empty
			continue
		}
		w.kind = w.kind || kind != flow.Insert
		if w.to.rows >= 0 && len(w.rows) >= w.to.rows {
			w.more++
			continue
		}
		w.rows = append(w.rows, Row[T]{kind, b.Records[i].TimeNS, b.Records[i].Value})
	}
	return nil
}

// EndBatch writes the table.
func (w *consoleTable[T]) EndBatch(_ context.Context, batch int64) error {
	if !w.any {
		return nil
	}
	title := fmt.Sprintf("Batch: %d", batch)
	rule := strings.Repeat("-", len(title))
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s\n%s\n%s\n", rule, title, rule)
	head, right := w.head()
	cells := [][]string{head}
	for i := range w.rows {
		cells = append(cells, w.cells(&w.rows[i]))
	}
	draw(&out, cells, right)
	if w.more > 0 {
		fmt.Fprintf(&out, "and %d more rows\n", w.more)
	}
	out.WriteByte('\n')
	clear(w.rows)
	w.rows, w.more, w.any, w.kind = w.rows[:0], 0, false, false
	return w.to.write(out.Bytes())
}

func (w *consoleTable[T]) head() (names []string, right []bool) {
	if w.kind {
		names, right = append(names, "kind"), append(right, false)
	}
	if w.to.columns == nil {
		return append(names, "value"), append(right, number(reflect.TypeFor[T]()))
	}
	for _, c := range w.to.columns {
		names, right = append(names, c.name), append(right, c.right)
	}
	return names, right
}

func (w *consoleTable[T]) cells(r *Row[T]) (texts []string) {
	if w.kind {
		texts = append(texts, r.Kind.String())
	}
	if w.to.columns == nil {
		return append(texts, oneLine(string(w.to.format(nil, r.Value))))
	}
	v := reflect.ValueOf(&r.Value).Elem()
	for _, c := range w.to.columns {
		texts = append(texts, oneLine(fmt.Sprint(v.FieldByIndex(c.path).Interface())))
	}
	return texts
}

// oneLine keeps a value from breaking its row.
func oneLine(s string) string {
	return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s)
}

// draw draws a table, the first row its head.
func draw(out *bytes.Buffer, cells [][]string, right []bool) {
	width := make([]int, len(right))
	for _, row := range cells {
		for i, text := range row {
			width[i] = max(width[i], utf8.RuneCountInString(text))
		}
	}
	rule := "+"
	for _, n := range width {
		rule += strings.Repeat("-", n) + "+"
	}
	rule += "\n"
	out.WriteString(rule)
	for i, row := range cells {
		out.WriteByte('|')
		for k, text := range row {
			pad := strings.Repeat(" ", width[k]-utf8.RuneCountInString(text))
			if right[k] {
				text = pad + text
			} else {
				text += pad
			}
			out.WriteString(text + "|")
		}
		out.WriteByte('\n')
		if i == 0 {
			out.WriteString(rule)
		}
	}
	out.WriteString(rule)
}

func (w *consoleTable[T]) Flush(context.Context) error { return nil }
func (w *consoleTable[T]) Close() error                { return nil }
