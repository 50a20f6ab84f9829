package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "parley"

// pkg is what the tests want to know of one package: its production files, parsed.
type pkg struct {
	dir   string // relative to the root, slashes; "." for the root
	files map[string]*ast.File
	lines map[string]int
}

// load parses every package of the repository without its tests.
func load(t *testing.T) (*token.FileSet, map[string]*pkg) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	pkgs := map[string]*pkg{}
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && file != root || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(set, file, src, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, filepath.Dir(file))
		rel = filepath.ToSlash(rel)
		p := pkgs[rel]
		if p == nil {
			p = &pkg{dir: rel, files: map[string]*ast.File{}, lines: map[string]int{}}
			pkgs[rel] = p
		}
		name := path.Join(rel, filepath.Base(file))
		p.files[name], p.lines[name] = f, strings.Count(string(src), "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return set, pkgs
}

func TestFloors(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		from, ok := floorOf(dir)
		if !ok {
			t.Errorf("%s has no floor: give it one in floors_test.go", dir)
			continue
		}
		for name, f := range p.files {
			for _, imp := range f.Imports {
				to := strings.Trim(imp.Path.Value, `"`)
				if err := mayImport(dir, from, to); err != "" {
					t.Errorf("%s imports %s: %s", name, to, err)
				}
			}
			if from == 0 && hasGo(f) {
				t.Errorf("%s starts a goroutine: floor 0 is pure", name)
			}
		}
	}
}

func hasGo(f *ast.File) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			found = true
		}
		return !found
	})
	return found
}

func TestSizes(t *testing.T) {
	set, pkgs := load(t)
	for dir, p := range pkgs {
		total := 0
		exported := map[string]bool{}
		for name, f := range p.files {
			total += p.lines[name]
			limit(t, "file", name, p.lines[name], 400)
			for _, decl := range f.Decls {
				sizesOf(t, set, dir, decl, exported)
			}
		}
		limit(t, "package", dir, total, 1500)
		limit(t, "exported", dir, len(exported), 30)
	}
}

func sizesOf(t *testing.T, set *token.FileSet, dir string, decl ast.Decl, exported map[string]bool) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		id := dir + "." + d.Name.Name
		if d.Body != nil {
			limit(t, "function", id, set.Position(d.End()).Line-set.Position(d.Pos()).Line+1, 60)
		}
		limit(t, "parameters", id, d.Type.Params.NumFields(), 5)
		if d.Recv == nil && d.Name.IsExported() {
			exported[d.Name.Name] = true
		}
	case *ast.GenDecl:
		if d.Tok != token.TYPE {
			return
		}
		for _, spec := range d.Specs {
			ts := spec.(*ast.TypeSpec)
			id := dir + "." + ts.Name.Name
			if ts.Name.IsExported() {
				exported[ts.Name.Name] = true
			}
			switch x := ts.Type.(type) {
			case *ast.StructType:
				limit(t, "struct", id, x.Fields.NumFields(), 20)
			case *ast.InterfaceType:
				limit(t, "interface", id, methods(x), 6)
			}
		}
	}
}

// methods counts an interface's own methods; embedded interfaces count where they are declared.
func methods(x *ast.InterfaceType) (n int) {
	for _, f := range x.Methods.List {
		n += len(f.Names)
	}
	return n
}

// limit fails when n is above the limit for the kind, or above what exceptions grants to this one.
func limit(t *testing.T, kind, id string, n, most int) {
	t.Helper()
	if e, ok := exceptions[kind+" "+id]; ok {
		most = e.limit
	}
	if n > most {
		t.Errorf("%s %s: %d, the limit is %d", kind, id, n, most)
	}
}

func TestPackageComments(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		n := 0
		for _, f := range p.files {
			if f.Doc != nil {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s has %d package comments, it wants one", dir, n)
		}
	}
}

var forbidden = regexp.MustCompile(`(?i)(manager|handler|service|helper|util|utils|impl|common)$`)

func TestWords(t *testing.T) {
	_, pkgs := load(t)
	for dir, p := range pkgs {
		if forbidden.MatchString(path.Base(dir)) {
			t.Errorf("package %s: the name says a layer, not a subject", dir)
		}
		for name, f := range p.files {
			ast.Inspect(f, func(n ast.Node) bool {
				if ts, ok := n.(*ast.TypeSpec); ok && forbidden.MatchString(ts.Name.Name) {
					t.Errorf("%s: type %s: the name says a layer, not a subject", name, ts.Name.Name)
				}
				return true
			})
		}
	}
}

// TestLinks checks that relative links in the documents lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	var docs []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/adr/*.md"} {
		found, _ := filepath.Glob(pattern)
		docs = append(docs, found...)
	}
	if len(docs) == 0 {
		t.Fatal("no documents found")
	}
	for _, doc := range docs {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", filepath.Base(doc), m[1])
			}
		}
	}
}
