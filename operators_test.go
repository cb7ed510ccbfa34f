package millrace_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every operator passes the harness: each exported method of this package's handles that makes a step, which is one whose first
// parameter is its id, is called in some test file that imports millracetest.
func TestOperatorsPassTheHarness(t *testing.T) {
	u := newUses(t)
	for _, dir := range u.testFolders(t) {
		for _, files := range u.packages(t, dir) {
			u.check(files)
		}
	}
	operators := operatorsIn(u.files(t, ".", false))
	if len(operators) < 20 || !slices.Contains(operators, "Stream.Map") || !slices.Contains(operators, "Table.Filter") {
		t.Fatalf("the list of operators is %q; does it still come from the code?", operators)
	}
	for _, o := range operators {
		if !u.seen[o] {
			t.Errorf("%s has no harness test: call it in a test that runs it by millracetest", o)
		}
	}
}

// files parses the files of a folder: its tests, or all others.
func (u *uses) files(t *testing.T, dir string, tests bool) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") == tests {
			files = append(files, u.parse(t, name, nil))
		}
	}
	return files
}

// operatorsIn lists the methods that make a step, as Type.Method. Those of Job are the ends of a topology.
func operatorsIn(files []*ast.File) (list []string) {
	for _, f := range files {
		for _, d := range f.Decls {
			m, ok := d.(*ast.FuncDecl)
			if !ok || m.Recv == nil || !m.Name.IsExported() || len(m.Type.Params.List) == 0 {
				continue
			}
			first := m.Type.Params.List[0]
			kind, ok := first.Type.(*ast.Ident)
			on := receiver(m.Recv.List[0].Type)
			if ok && kind.Name == "string" && len(first.Names) > 0 && first.Names[0].Name == "id" && ast.IsExported(on) && on != "Job" {
				list = append(list, on+"."+m.Name.Name)
			}
		}
	}
	slices.Sort(list)
	return list
}

func receiver(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// uses collects the methods of this package that harness tests call. The types come from what the go command compiled.
type uses struct {
	set      *token.FileSet
	importer types.Importer
	seen     map[string]bool // Type.Method
}

// newUses knows the types of this package, the harness, what they import, and more packages of this module.
func newUses(t *testing.T, more ...string) *uses {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", ".", "./millracetest"}, more...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list this module's packages: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			exports[path] = file
		}
	}
	set := token.NewFileSet()
	open := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("package %s: this test needs none of its types", path)
		}
		return os.Open(exports[path])
	}
	return &uses{set: set, importer: importer.ForCompiler(set, "gc", open), seen: map[string]bool{}}
}

func (u *uses) parse(t *testing.T, name string, text any) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(u.set, name, text, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// testFolders lists the folders with a test file that imports millracetest.
func (u *uses) testFolders(t *testing.T) (folders []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err == nil && importsHarness(f) && !slices.Contains(folders, filepath.Dir(name)) {
			folders = append(folders, filepath.Dir(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

func importsHarness(f *ast.File) bool {
	return slices.ContainsFunc(f.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"`+module+`/millracetest"` })
}

// packages parses the files of a folder, by package.
func (u *uses) packages(t *testing.T, dir string) map[string][]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]*ast.File{}
	for _, name := range names {
		f := u.parse(t, name, nil)
		all[f.Name.Name] = append(all[f.Name.Name], f)
	}
	return all
}

// check notes what the harness tests among the files of one package call. What else is in them may have types that are not known.
func (u *uses) check(files []*ast.File) {
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: u.importer, Error: func(error) {}}
	_, _ = config.Check(files[0].Name.Name, u.set, files, info)
	for at, s := range info.Selections {
		m, ok := s.Obj().(*types.Func)
		if !ok || m.Pkg() == nil || m.Pkg().Path() != module {
			continue
		}
		if i := slices.IndexFunc(files, func(f *ast.File) bool { return f.FileStart <= at.Pos() && at.Pos() < f.FileEnd }); !importsHarness(files[i]) {
			continue
		}
		on := m.Origin().Signature().Recv().Type()
		if p, ok := on.(*types.Pointer); ok {
			on = p.Elem()
		}
		if named, ok := on.(*types.Named); ok {
			u.seen[named.Obj().Name()+"."+m.Name()] = true
		}
	}
}

// A checker that finds nothing is worth nothing.
func TestOperatorsPassTheHarnessNotices(t *testing.T) {
	u := newUses(t)
	const text = `package x
import "` + module + `"
%s
func f(s millrace.Stream[int], t millrace.Table[string, int]) {
	s.Filter("a", nil)
	t.MapValues("b", func(string, int) int { return 0 })
}`
	u.check([]*ast.File{u.parse(t, "without.go", fmt.Sprintf(text, ""))})
	if len(u.seen) > 0 {
		t.Errorf("a file that does not import the harness counts: %v", u.seen)
	}
	u.check([]*ast.File{u.parse(t, "with.go", fmt.Sprintf(text, `import _ "`+module+`/millracetest"`))})
	if !u.seen["Stream.Filter"] || !u.seen["Table.MapValues"] || u.seen["Table.Filter"] || u.seen["Stream.Map"] {
		t.Errorf("noted %v, want Stream.Filter and Table.MapValues alone", u.seen)
	}
	const own = `package millrace
func (s Stream[T]) Map[U any](id string, f func(T) U) Stream[U] { return nil }
func (s Stream[T]) KeyBy[K comparable](key func(T) K) Keyed[K, T] { return nil }
func (w *Windowed[K, T]) Count(id string) int { return 0 }
func (s Stream[T]) hidden(id string) {}
func (j *Job) From(id string) {}
func (p progress) Show(id string) {}
`
	if got, want := operatorsIn([]*ast.File{u.parse(t, "own.go", own)}), []string{"Stream.Map", "Windowed.Count"}; !slices.Equal(got, want) {
		t.Errorf("operators %q, want %q", got, want)
	}
}
