package airflow

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// TestScalarsAsPyYAML compares with a table made by PyYAML 6.0.3's
// FullLoader: a plain scalar, its type, its value.
func TestScalarsAsPyYAML(t *testing.T) {
	file := "testdata/scalars.jsonl"
	if other := os.Getenv("SCALARS"); other != "" {
		file = other
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var row [3]string
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		kind, text := describe(row[0])
		if kind != row[1] || text != row[2] {
			t.Errorf("%q is %s %q, want %s %q", row[0], kind, text, row[1], row[2])
		}
	}
}

// describe reads a plain scalar and says what it is.
func describe(s string) (kind, content string) {
	root, ds := read([]byte("k: [x]\nv: " + s + "\n"))
	if len(faults(ds)) > 0 {
		return "error", ""
	}
	v := root.find("v")
	switch v.kind {
	case null:
		return "null", ""
	case boolean:
		if v.bool {
			return "bool", "true"
		}
		return "bool", "false"
	case integer:
		return "int", v.text
	case float:
		return "float", floatText(v.num)
	case date:
		return "date", v.text
	case datetime:
		return "datetime", v.text
	case text:
		return "str", v.text
	}
	return v.what(), ""
}
