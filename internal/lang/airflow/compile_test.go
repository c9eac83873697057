package airflow

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/operator"
)

// check compiles src with the standard table and a code package.
func check(src string) (flow.Definition, []flow.Diagnostic) {
	return Compile([]byte(src), Options{Operators: operator.Default(), HasCode: true, Now: time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)})
}

// lines prints diagnostics one a line, as the public text where there is one.
func lines(ds []flow.Diagnostic) string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintln(&b, d)
		if d.Public != "" {
			fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(d.Public, "\n", "\n    "))
		}
	}
	return b.String()
}

func faults(ds []flow.Diagnostic) (out []flow.Diagnostic) {
	for _, d := range ds {
		if d.Severity == flow.Fault {
			out = append(out, d)
		}
	}
	return out
}

// TestSharedExamples compiles the definitions that stand beside the
// repository, whose head comments say what to expect.
func TestSharedExamples(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "examples", "definitions", "*.yaml"))
	if len(files) == 0 {
		t.Skip("the shared examples are not beside this repository")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			def, ds := check(string(src))
			if strings.HasPrefix(filepath.Base(file), "9") {
				if len(faults(ds)) == 0 {
					t.Errorf("accepted:\n%s", lines(ds))
				}
			} else if len(ds) > 0 || len(def.Graph.Nodes) == 0 {
				t.Errorf("%d nodes, findings:\n%s", len(def.Graph.Nodes), lines(ds))
			}
			t.Logf("%s", lines(ds))
		})
	}
}
