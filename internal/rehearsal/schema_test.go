package rehearsal

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"fairlead/internal/lang/airflow"
)

func schemaOf(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("tests.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("tests.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, src []byte) error {
	t.Helper()
	root, _ := airflow.ReadDocument(src, MaxBytes)
	if root == nil {
		t.Fatalf("not YAML:\n%s", src)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(root.JSON()))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

// TestSchemaTakesWhatParses wants an editor to accept every file that can be
// played.
func TestSchemaTakesWhatParses(t *testing.T) {
	s := schemaOf(t)
	texts := map[string][]byte{}
	for _, pattern := range []string{"testdata/*.txt", "../../examples/*_test.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, rest, ok := strings.Cut(string(src), "-- tests --\n"); ok {
				tests, _, _ := strings.Cut(rest, "-- output --\n")
				src = []byte(tests)
			}
			texts[file] = src
		}
	}
	page, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```yaml\n# (\\S+_test.yaml)\n(.*?)^```$").FindAllSubmatch(page, -1) {
		texts[string(m[1])] = m[2]
	}
	checked := 0
	for name, src := range texts {
		if f, _ := Parse(src); f == nil {
			continue
		}
		checked++
		if err := validate(t, s, src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if checked < 8 {
		t.Errorf("only %d files were checked", checked)
	}
}

// TestSchemaRefusesSlips wants an editor to underline slips, and none that is
// none.
func TestSchemaRefusesSlips(t *testing.T) {
	s := schemaOf(t)
	for _, test := range []string{
		"{}",
		"{expect: {}}",
		"{expect: {rum: SUCCESS}}",
		"{expect: {run: success}}",
		"{expect: {takes: soon}}",
		"{expect: {tasks: {a: DONE}}}",
		"{expect: {tasks: {a: {attempts: -1}}}}",
		"{tasks: {a: fail}, expect: {run: SUCCESS}}",
		"{tasks: {a: {fails: 3}}, expect: {run: SUCCESS}}",
		"{tasks: {a: []}, expect: {run: SUCCESS}}",
		"{at: noon, expect: {run: SUCCESS}}",
		"{from: 2026-03-01, expect: {run: SUCCESS}}",
		"{stop: {before: 1}, expect: {run: SUCCESS}}",
		"{do: {at: 5m, pause: true}, expect: {run: SUCCESS}}",
		"{do: [{pause: true}], expect: {run: SUCCESS}}",
		"{do: [{at: 5m}], expect: {run: SUCCESS}}",
		"{do: [{at: 5m, pause: true, resume: true}], expect: {run: SUCCESS}}",
		"{do: [{at: 5m, clear: []}], expect: {run: SUCCESS}}",
		"{do: [{at: 5m, mark: {a: succes}}], expect: {run: SUCCESS}}",
	} {
		src := []byte("workflow: w.yaml\ntests:\n  a: " + test + "\n")
		if f, _ := Parse(src); f != nil {
			t.Errorf("%s parses", test)
		}
		if validate(t, s, src) == nil {
			t.Errorf("the schema takes %s", test)
		}
	}
}
