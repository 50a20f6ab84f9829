package catalogue

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"parley/internal/store"
)

// compiled returns the schema of a type as a library of other people reads it.
func compiled(t *testing.T, e *Entry) *jsonschema.Schema {
	t.Helper()
	text, err := e.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("event.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("event.json")
	if err != nil {
		t.Fatalf("%s: %v", e.Type, err)
	}
	return s
}

// TestEntries says that each type is described once, and that its sample satisfies its schema while other data does not.
func TestEntries(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range All() {
		if seen[e.Type] || e.Since == "" || !strings.HasSuffix(e.Text, ".") {
			t.Errorf("%+v", e)
		}
		seen[e.Type] = true
		s := compiled(t, &e)
		sample, err := e.Sample(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		data, err := jsonschema.UnmarshalJSON(bytes.NewReader(sample.Data))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(data); err != nil {
			t.Errorf("%s: the sample %s: %v", e.Type, sample.Data, err)
		}
		if s.Validate(map[string]any{}) == nil || s.Validate("text") == nil {
			t.Errorf("%s: the schema takes anything", e.Type)
		}
		if !store.OfType(e.Type, []string{strings.SplitAfter(e.Type, "_")[0] + "*"}) {
			t.Error(e.Type)
		}
		if text, err := json.Marshal(sample); err != nil || !json.Valid(text) {
			t.Error(err)
		}
	}
	if _, err := Find("conference_eaten"); err == nil {
		t.Error("a type that does not exist was found")
	}
}

// happenings are words that types of events end in. They find types that are in the code and not in the table.
var happenings = regexp.MustCompile(`^[a-z]+(_[a-z]+)*_(created|updated|deleted|started|stopped|ended|failed|finished|paused|resumed|joining|joined|leaving|leaved|received|` +
	`changed|dialing|ringing|progressing|terminating|canceling|hangup|disabled|enabled|registered|unregistered|refused|denied|added|removed|interim|done|sent|up|down|admitted|waiting)$`)

// notEvents are names of that form which stand for something else.
var notEvents = map[string]string{
	"conference_ended": "an end reason of recordings",
	"call_ended":       "a leave reason",
	"write_failed":     "a reason of gaps in recordings",
	"send_failed":      "a label of a metric",
	"frames_sent":      "a word of the log",
}

// TestNothingIsMissing reads the source for names that look like types of events: each is in the table, or it is known to be something else.
func TestNothingIsMissing(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "testdata" {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "catalogue") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Logf("%s is not read: %v", path, err)
			return nil
		}
		for _, name := range literals(file) {
			if !happenings.MatchString(name) || notEvents[name] != "" {
				continue
			}
			found++
			if _, err := Find(name); err != nil {
				t.Errorf("%s: %q is not described: add an entry to internal/api/catalogue/table.go (or to notEvents here)", path, name)
			}
		}
		return nil
	})
	if err != nil || found < len(table)-5 {
		t.Errorf("%d types found in the source, %v", found, err)
	}
}

// literals returns the strings in a file that may be types; what stands in a struct's tag or is a JSON name is none.
func literals(file *ast.File) (list []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && f.Tag != nil {
			return false
		}
		if x, ok := n.(*ast.BasicLit); ok && x.Kind == token.STRING {
			if text, err := strconv.Unquote(x.Value); err == nil && !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
		return true
	})
	return list
}
