package millrace_test

import (
	"go/ast"
	"go/doc"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Everything a topology is made of has an Example whose output is checked: each exported method of this package's handles, each kind
// of window and each trigger one of its name; each source and sink that needs no server is used in one.
func TestEverythingHasAnExample(t *testing.T) {
	u := newUses(t)
	examples := examplesIn(u.files(t, ".", true))
	for _, name := range toShow(u.files(t, ".", false)) {
		if !examples.named(name) {
			t.Errorf("there is no Example%s with checked output", name)
		}
	}
	for _, dir := range []string{"sources", "sources/filesource", "sinks", "sinks/filesink"} {
		list := connectorsIn(u.files(t, dir, false))
		if len(list) < 3 {
			t.Errorf("connectors of %s are %q; does the list still come from the code?", dir, list)
		}
		for _, name := range list {
			if call := filepath.Base(dir) + "." + name; !examples.calls[call] {
				t.Errorf("no Example with checked output calls %s", call)
			}
		}
	}
}

// toShow lists what this package's examples are named after.
func toShow(files []*ast.File) (names []string) {
	steps := map[string]bool{}
	for _, o := range operatorsIn(files) {
		on, _, _ := strings.Cut(o, ".")
		steps[on] = true
	}
	for d := range functions(files) {
		switch {
		case d.Recv == nil:
			if d.Name.IsExported() && receiver(result(d)) == "Trigger" {
				names = append(names, d.Name.Name)
			}
		case d.Name.Name == "windows":
			names = append(names, receiver(d.Recv.List[0].Type))
		case d.Name.IsExported() && steps[receiver(d.Recv.List[0].Type)]:
			names = append(names, receiver(d.Recv.List[0].Type)+"_"+d.Name.Name)
		}
	}
	slices.Sort(names)
	return names
}

// connectorsIn lists the functions that make sources and sinks.
func connectorsIn(files []*ast.File) (names []string) {
	kinds := []string{"Source", "Sink", "Collector", "MemoryRows"}
	for d := range functions(files) {
		if d.Recv == nil && d.Name.IsExported() && len(d.Type.Results.List) == 1 && slices.Contains(kinds, receiver(result(d))) {
			names = append(names, d.Name.Name)
		}
	}
	return names
}

// functions goes over the functions and methods that are declared.
func functions(files []*ast.File) func(yield func(*ast.FuncDecl) bool) {
	return func(yield func(*ast.FuncDecl) bool) {
		for _, f := range files {
			for _, d := range f.Decls {
				if d, ok := d.(*ast.FuncDecl); ok && !yield(d) {
					return
				}
			}
		}
	}
}

// result is the type of a function's first result, nil when it has none.
func result(d *ast.FuncDecl) ast.Expr {
	if d.Type.Results == nil {
		return nil
	}
	return d.Type.Results.List[0].Type
}

// examples are those whose output is checked.
type examples struct {
	names []string
	calls map[string]bool // package.Function
}

func examplesIn(tests []*ast.File) examples {
	all := examples{calls: map[string]bool{}}
	for _, e := range doc.Examples(tests...) {
		if e.Output == "" {
			continue
		}
		all.names = append(all.names, e.Name)
		ast.Inspect(e.Code, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if p, ok := s.X.(*ast.Ident); ok {
					all.calls[p.Name+"."+s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return all
}

// named says whether there is an example of a name, or several with suffixes.
func (e examples) named(name string) bool {
	return slices.ContainsFunc(e.names, func(n string) bool { return n == name || strings.HasPrefix(n, name+"_") })
}

// A checker that finds nothing is worth nothing.
func TestEverythingHasAnExampleNotices(t *testing.T) {
	u := newUses(t)
	shown := toShow([]*ast.File{u.parse(t, "own.go", `package millrace
func (s Stream[T]) Map[U any](id string, f func(T) U) Stream[U] { return nil }
func (s Stream[T]) KeyBy[K comparable](key func(T) K) Keyed[K, T] { return nil }
func (s Stream[T]) hidden() {}
func (w Hopping) windows() windows { return windows{} }
func (j *Job) Start() {}
func Hourly() Trigger { return Trigger{} }
func NewJob(name string) *Job { return nil }
`)})
	if want := []string{"Hopping", "Hourly", "Stream_KeyBy", "Stream_Map"}; !slices.Equal(shown, want) {
		t.Errorf("to show: %q, want %q", shown, want)
	}
	e := examplesIn([]*ast.File{u.parse(t, "own_test.go", `package millrace_test
func ExampleStream_Map() { sources.Slice(1) }
func ExampleStream_KeyBy_often() {
	sinks.Collect()
	// Output: 1
}`)})
	if e.named("Stream_Map") || !e.named("Stream_KeyBy") || e.named("Stream_Key") || e.calls["sources.Slice"] || !e.calls["sinks.Collect"] {
		t.Errorf("examples %+v, want ExampleStream_KeyBy_often alone", e)
	}
	made := connectorsIn([]*ast.File{u.parse(t, "made.go", `package sinks
func Discard[T any]() Sink[T] { return nil }
func Find(name string) (Sink[int], bool) { return nil, false }
func check() error { return nil }
`)})
	if want := []string{"Discard"}; !slices.Equal(made, want) {
		t.Errorf("connectors %q, want %q", made, want)
	}
}
