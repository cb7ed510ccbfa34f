package fault_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/fault"
)

// Each place that is listed is in the code once, and the code has no other: a campaign that reports all of them hit has hit all.
func TestPlacesAreInTheCode(t *testing.T) {
	found := inCode(t, filepath.Join("..", ".."))
	listed := map[string]bool{}
	for _, p := range fault.Places() {
		if listed[p.Name] {
			t.Errorf("%q is listed twice", p.Name)
		}
		listed[p.Name] = true
		if n := found[p.Name]; n != 1 {
			t.Errorf("%q is listed and %d times in the code", p.Name, n)
		}
	}
	for name := range found {
		if !listed[name] {
			t.Errorf("%q is in the code and not listed", name)
		}
	}
	if len(listed) < 60 {
		t.Errorf("%d places, want at least 60", len(listed))
	}
}

// inCode counts the points of a tree by name.
func inCode(t *testing.T, root string) map[string]int {
	t.Helper()
	found := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if name, ok := pointOf(n); ok {
				found[name]++
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// pointOf is the name of a call of fault.Point or fault.Soon.
func pointOf(n ast.Node) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return "", false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != "Point" && f.Sel.Name != "Soon" {
		return "", false
	}
	if pkg, ok := f.X.(*ast.Ident); !ok || pkg.Name != "fault" {
		return "", false
	}
	text, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return "a name that is no literal", true
	}
	name, err := strconv.Unquote(text.Value)
	return name, err == nil
}
