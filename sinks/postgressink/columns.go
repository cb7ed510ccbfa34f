package postgressink

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// keyColumnsMax bounds the columns of a key.
const keyColumnsMax = 8

// column is a field of the row type that is a column of the table.
type column struct {
	name  string
	field int
	of    reflect.Type
}

// columns are those of a row type, and which of them are the key.
type columns struct {
	all []column
	key []int // places in all
}

// columnsOf finds the columns of T: its exported fields, named by the tag db:"name", else by their own names as lower_snake_case. db:"-"
// leaves a field out.
func columnsOf[T any](key []string) (c columns, err error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return c, fmt.Errorf("rows are of type %v, want a struct with a field for each column", t)
	}
	var errs []error
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("db"), ",")
		if name == "-" || !f.IsExported() || f.Tag.Get("millrace") == "-" {
			continue
		}
		if f.Anonymous && f.Tag.Get("db") == "" {
			errs = append(errs, fmt.Errorf("field %s is embedded: name its columns in fields of the row, or leave it out with the tag `db:\"-\"`", f.Name))
		}
		if name == "" {
			name = snake(f.Name)
		}
		if slices.ContainsFunc(c.all, func(x column) bool { return x.name == name }) {
			errs = append(errs, fmt.Errorf("two fields are the column %q: rename one with the tag `db:\"name\"`", name))
		}
		if len(name) > identifierMax || strings.ContainsRune(name, 0) {
			errs = append(errs, fmt.Errorf("field %s: column %q is no name, which has at most %d bytes and none that is zero", f.Name, name, identifierMax))
		}
		c.all = append(c.all, column{name, i, f.Type})
	}
	if len(c.all) == 0 {
		errs = append(errs, fmt.Errorf("type %v has no exported field", t))
	}
	for _, k := range key {
		i := slices.IndexFunc(c.all, func(x column) bool { return x.name == k })
		switch {
		case i < 0:
			errs = append(errs, fmt.Errorf("key column %q is none of %q", k, c.names()))
			continue
		case slices.Contains(c.key, i):
			errs = append(errs, fmt.Errorf("key column %q is given twice", k))
		case !c.all[i].of.Comparable() || c.all[i].of.Kind() == reflect.Pointer || c.all[i].of.Kind() == reflect.Interface:
			errs = append(errs, fmt.Errorf("key column %q is of type %v, which cannot tell whether two are equal", k, c.all[i].of))
		}
		c.key = append(c.key, i)
	}
	return c, errors.Join(errs...)
}

func (c columns) names() []string {
	names := make([]string, len(c.all))
	for i, x := range c.all {
		names[i] = x.name
	}
	return names
}

// snake is a field's name as columns are written: OrderID is order_id.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// keyOf is a row's key, as a value that is equal when the key is.
func (c columns) keyOf(row reflect.Value) (k [keyColumnsMax]any) {
	for i, at := range c.key {
		v := row.Field(c.all[at].field).Interface()
		if t, ok := v.(time.Time); ok {
			v = t.UnixMicro() // to the server two instants within a microsecond are one
		}
		k[i] = v
	}
	return k
}

// changes are the rows of an epoch as the server takes them: columns, each a slice of its fields' type.
type changes struct {
	deletes []any // key columns of rows to be deleted
	rows    []any // all columns of rows to be written
	deleted int
	written int
}

// change is a row with what becomes of it.
type change[T any] struct {
	row     T
	deletes bool
}

// netted is what is left of all changes: of each key the last one. Without a key all are rows to be inserted.
func netted[T any](c columns, all []change[T]) changes {
	left := make([]int, 0, len(all))
	if len(c.key) == 0 {
		for i := range all {
			left = append(left, i)
		}
	} else {
		place := make(map[[keyColumnsMax]any]int, len(all))
		for i := range all {
			k := c.keyOf(reflect.ValueOf(&all[i].row).Elem())
			if at, ok := place[k]; ok {
				left[at] = i
				continue
			}
			place[k] = len(left)
			left = append(left, i)
		}
	}
	var out changes
	for _, i := range left {
		if all[i].deletes {
			out.deleted++
		} else {
			out.written++
		}
	}
	out.deletes = transpose(c, c.key, all, left, true, out.deleted)
	whole := make([]int, len(c.all))
	for i := range whole {
		whole[i] = i
	}
	out.rows = transpose(c, whole, all, left, false, out.written)
	return out
}

// transpose makes columns of the n rows among left that are deleted, or that are not.
func transpose[T any](c columns, of []int, all []change[T], left []int, deleted bool, n int) []any {
	if n == 0 {
		return nil
	}
	out := make([]any, len(of))
	for j, at := range of {
		col := reflect.MakeSlice(reflect.SliceOf(c.all[at].of), n, n)
		k := 0
		for _, i := range left {
			if all[i].deletes == deleted {
				col.Index(k).Set(reflect.ValueOf(&all[i].row).Elem().Field(c.all[at].field))
				k++
			}
		}
		out[j] = col.Interface()
	}
	return out
}
