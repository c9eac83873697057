package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCheckOfWDL checks that what is wrong in a document, and in one that it
// imports, is printed with the file that it is in.
func TestCheckOfWDL(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"main.wdl":      "version 1.0\nimport \"lib/tasks.wdl\"\nworkflow w {\n  call tasks.hello { input: whom = \"x\" }\n}\n",
		"lib/tasks.wdl": "version 1.0\ntask hello {\n  input { String who }\n  command <<< echo ~{woh} >>>\n}\n",
		"good.wdl":      "version 1.1\ntask t { command <<< >>> }\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, _, err := try("", "check", "good.wdl", "main.wdl")
	want := `main.wdl:4:14: warning: call hello is not given "who": whoever starts a run has to, as w.hello.who
    write call tasks.hello { input: who = … }
main.wdl:4:29: error: task hello has no input "whom"
    did you mean "who"?
lib/tasks.wdl:4:22: error: there is no "woh" here
    did you mean "who"?
`
	if diff := cmp.Diff(want, out); diff != "" || err == nil {
		t.Errorf("check: %v (-want +got):\n%s", err, diff)
	}
	if out, _, err := try("", "check", "good.wdl"); out != "" || err != nil {
		t.Errorf("check good.wdl: %q, %v; want nothing", out, err)
	}
	if _, _, err := try("", "check", "gone.wdl"); err == nil {
		t.Error("check of a file that is not there: no error")
	}
}
