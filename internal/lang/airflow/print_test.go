package airflow

import (
	"strings"
	"testing"

	"fairlead/internal/flow"
)

func TestPrint(t *testing.T) {
	const src = "d:\n  tasks:\n    t:\n      retries: 9\n"
	ds := []flow.Diagnostic{
		{Severity: flow.Fault, Line: 4, Column: 16, Path: "d.tasks.t.retries", Public: "public", Message: "too many, 100%\x1b", Fix: "write 3"},
		{Severity: flow.Caution, Message: "no place"},
	}
	all := []FileDiagnostics{{"a,b.yaml", []byte(src), ds}, {"fine.yaml", nil, nil}}
	plain := strings.NewReplacer("\x1b[1;31m", "", "\x1b[1;33m", "", "\x1b[1;32m", "", "\x1b[2m", "", "\x1b[0m", "")
	for _, tt := range []struct {
		name, want string
		write      func(*strings.Builder) error
	}{
		{"text", `a,b.yaml:4:16: error: d.tasks.t.retries: too many, 100%` + "\uFFFD" + `
    write 3
    AWS says: public
a,b.yaml: warning: no place
`, func(b *strings.Builder) error { return PrintText(b, all, false) }},
		{"terminal", `a,b.yaml:4:16: error: d.tasks.t.retries: too many, 100%` + "\uFFFD" + `
    4 |       retries: 9
      |                ^
      fix: write 3
      AWS says: public
a,b.yaml: warning: no place
`, func(b *strings.Builder) error { return PrintText(b, all, true) }},
		{"JSON", `[
  {
    "file": "a,b.yaml",
    "line": 4,
    "column": 16,
    "severity": "error",
    "path": "d.tasks.t.retries",
    "message": "too many, 100%\u001b",
    "fix": "write 3",
    "service": "public"
  },
  {
    "file": "a,b.yaml",
    "severity": "warning",
    "message": "no place"
  }
]
`, func(b *strings.Builder) error { return PrintJSON(b, all) }},
		{"GitHub", "::error file=a%2Cb.yaml,line=4,col=16::d.tasks.t.retries: too many, 100%25\uFFFD%0Awrite 3\n::warning file=a%2Cb.yaml::no place\n",
			func(b *strings.Builder) error { return PrintGitHub(b, all) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := tt.write(&b); err != nil {
				t.Fatal(err)
			}
			if got := plain.Replace(b.String()); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestExcerptOfLongLines(t *testing.T) {
	line := strings.Repeat("x", 500) + "HERE" + strings.Repeat("y", 500)
	text, caret := excerpt(line, 501)
	if i := len([]rune(caret)) - 1; string([]rune(text)[i:i+4]) != "HERE" {
		t.Errorf("the caret of\n%s\nis\n%s", text, caret)
	}
}
