package wdl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSuiteDocuments checks that the documents of the UCSC conformance suite
// are accepted, except those of tests that are to fail, and have graphs.
func TestSuiteDocuments(t *testing.T) {
	suite := filepath.FromSlash("../../../../shared/cases/wdl-ucsc")
	text, err := os.ReadFile(filepath.Join(suite, "manifest.json"))
	if err != nil {
		t.Skip("the suite is not here")
	}
	var manifest struct {
		Tests []struct {
			ID     string
			Fail   bool
			Inputs struct{ Dir, WDL string }
		}
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, test := range manifest.Tests {
		file := test.Inputs.Dir + "/" + test.Inputs.WDL
		if !strings.HasSuffix(file, ".wdl") {
			continue
		}
		doc, found := Load(os.DirFS(suite), file, Options{})
		if !Refused(found) {
			def, more := Compile(doc, Options{})
			inOrder(t, def.Graph)
			found = more
		}
		if Refused(found) {
			refused++
		}
		if Refused(found) && !test.Fail {
			t.Errorf("%s: %+v", file, found)
		}
	}
	if len(manifest.Tests) < 80 || refused == 0 {
		t.Errorf("%d tests, of which %d were refused", len(manifest.Tests), refused)
	}
	t.Logf("%d documents accepted, %d refused that are to fail", len(manifest.Tests)-refused, refused)
}
