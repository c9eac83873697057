package airflow

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// TestTextsAsPyYAML compares with a table made by PyYAML 6.0.3's FullLoader:
// a text, and what it holds as JSON, or "error".
func TestTextsAsPyYAML(t *testing.T) {
	file := "testdata/texts.jsonl"
	if other := os.Getenv("TEXTS"); other != "" {
		file = other
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var row [2]string
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		got := "error"
		root, ds := read([]byte(row[0]))
		if len(faults(ds)) == 0 {
			got = "null"
			if root != nil {
				got = string(root.json(nil))
			}
		}
		if got != row[1] {
			t.Errorf("%q\n got %s\nwant %s\n%s", row[0], got, row[1], lines(ds))
		}
	}
}
