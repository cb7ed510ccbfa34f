package millrace_test

import (
	"fmt"
	"go/ast"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What README.md shows of Go compiles, as it stands there.
func TestReadmeCompiles(t *testing.T) {
	u := newUses(t, "./topologies")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(document(t, "README.md"), -1)
	if len(blocks) < 2 {
		t.Fatalf("README.md shows %d blocks of Go, want a job and a window", len(blocks))
	}
	for _, b := range blocks {
		if err := u.compiles(t, b[1]); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
	}
	if err := u.compiles(t, "func f(s millrace.Stream[int]) millrace.Stream[string] { return s }"); err == nil {
		t.Error("a type that is wrong was not noticed")
	}
}

// importable are the packages that Go in documents may use.
var importable = []string{
	"context", "log", "time", module, module + "/sinks", module + "/sources", module + "/state", module + "/topologies",
}

// compiles checks the types of a block, behind the imports that it needs.
func (u *uses) compiles(t *testing.T, block string) (failed error) {
	t.Helper()
	head := "package x\n"
	for _, path := range importable {
		if regexp.MustCompile(`\b` + filepath.Base(path) + `\.[A-Z]`).MatchString(block) {
			head += fmt.Sprintf("import %q\n", path)
		}
	}
	config := types.Config{Importer: u.importer}
	_, failed = config.Check("x", u.set, []*ast.File{u.parse(t, "block.go", head+block)}, nil)
	return failed
}

// Links between documents lead somewhere.
func TestDocumentsLink(t *testing.T) {
	link, code := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`), regexp.MustCompile("(?sm)```.*?```|^    .*?$|`[^`]*`")
	links := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".md" {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(document(t, name), ""), -1) {
			links++
			target := filepath.Join(filepath.Dir(name), m[1])
			if m[1] == "" {
				target = name
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link to %s%s: %v", name, m[1], m[2], err)
			} else if m[2] != "" && !hasHeading(document(t, target), m[2]) {
				t.Errorf("%s: link to %s%s: no such heading", name, m[1], m[2])
			}
		}
		return nil
	})
	if err != nil || links < 20 {
		t.Fatalf("%d links found, %v", links, err)
	}
}

// The pages about meaning have a table of what is otherwise in Spark and in Flink.
func TestPagesSayWhatDiffers(t *testing.T) {
	table := regexp.MustCompile(`(?m)^\|.*(Spark.*Flink|Flink.*Spark).*\|\n\|(---\|){4}$`)
	for _, page := range []string{"time", "windows", "joins", "custom-state", "modes-and-triggers", "testing"} {
		if !table.MatchString(document(t, filepath.Join("docs", page+".md"))) {
			t.Errorf("docs/%s.md has no table of differences from Spark and Flink", page)
		}
	}
	if table.MatchString(document(t, "docs/operating.md")) {
		t.Error("a page without such a table passes")
	}
}

// hasHeading says whether a document has a heading that is found by anchor, as GitHub makes them.
func hasHeading(text, anchor string) bool {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if "#"+strings.ReplaceAll(plain, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// The reference has every operator, the map of the rooms every room.
func TestDocumentsAreComplete(t *testing.T) {
	sections := regexp.MustCompile(`(?m)^## `).Split(document(t, "docs/reference.md"), -1)
	operators := operatorsIn(newUses(t).files(t, ".", false))
	for _, o := range operators {
		on, name, _ := strings.Cut(o, ".")
		if !named(sections, on, name) {
			t.Errorf("docs/reference.md does not have %s", o)
		}
	}
	if len(operators) == 0 || named(sections, "Stream", "Fold") || named(sections, "Grouped", "Collect") {
		t.Errorf("%d operators; is it looked for in the right section?", len(operators))
	}
	rooms := document(t, "docs/ARCHITECTURE.md")
	for room := range layers {
		if room != "." && !strings.Contains(rooms, "`"+room+"`") {
			t.Errorf("docs/ARCHITECTURE.md does not name the room %s", room)
		}
	}
}

// named says whether the section about a type has a method of its.
func named(sections []string, on, name string) bool {
	call := regexp.MustCompile("[`.]" + name + `\(`)
	for _, s := range sections {
		heading, rest, _ := strings.Cut(s, "\n")
		if strings.Contains(heading, on+"[") && (call.MatchString(rest) || strings.Contains(rest, "`"+name+"`")) {
			return true
		}
	}
	return false
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
