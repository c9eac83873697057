package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// try runs one command line with the given standard input and returns what
// it printed.
func try(in string, args ...string) (out, errOut string, err error) {
	root := rootCommand()
	var stdout, stderr bytes.Buffer
	root.SetIn(strings.NewReader(in))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs(args)
	err = root.Execute()
	return stdout.String(), stderr.String(), err
}

// sharedFile reads a file that stands beside the repository.
func sharedFile(t testing.TB, name string) string {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", filepath.FromSlash(name)))
	if err != nil {
		t.Skipf("the shared files are not beside the repository: %v", err)
	}
	return string(raw)
}

// parsed reads JSON, numbers as they are written.
func parsed(t testing.TB, raw []byte) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// TestRenderSharedTemplates puts all shared templates through the command.
func TestRenderSharedTemplates(t *testing.T) {
	cases := sharedFile(t, "cases/templates.jsonl")
	out, _, err := try(cases, "render")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	want := strings.Split(strings.TrimSuffix(cases, "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %d answers for %d lines", len(got), len(want))
	}
	for i := range want {
		var c, a struct {
			Name    string
			Result  json.RawMessage
			Type    string `json:"error_type"`
			Message string `json:"error_message"`
			Line    int    `json:"error_line"`
		}
		for _, x := range []struct {
			line string
			into any
		}{{want[i], &c}, {got[i], &a}} {
			if err := json.Unmarshal([]byte(x.line), x.into); err != nil {
				t.Fatalf("%s: %v", x.line, err)
			}
		}
		same := a.Name == c.Name && a.Type == c.Type && a.Message == c.Message && (c.Line == 0 || a.Line == c.Line) && (a.Result == nil) == (c.Result == nil)
		if same && c.Result != nil {
			same = cmp.Equal(parsed(t, a.Result), parsed(t, c.Result))
		}
		if !same {
			t.Errorf("case %s\ngot  %s", want[i], got[i])
		}
	}
}

func TestRenderLines(t *testing.T) {
	in := strings.Join([]string{
		`{"name": "a", "template": "{{ ds }} {{ params.n }}", "context": {"logical_date": "2026-11-21", "params": {"n": 1.0}}, "note": "passed over"}`,
		``,
		`{"template": {"{{ ds }}": ["{{ ti.task_id }}", 1.50, null, 12345678901234567890], "b": "<&>"}}`,
		`{"name": "b", "template": "x\n{{ nope }}"}`,
		`{"name": "c", "template": "{{"}`,
		`not JSON`,
		`{"name": "d"`,
		`[1]`,
		`{"name": "e"}`,
		`{"name": "f", "template": "x", "context": {"logical_date": "soon"}}`,
		`{"name": "g", "template": "x", "context": {"params": [1]}}`,
		"{\"template\": \"\xff\"}",
		`{"template": "` + strings.Repeat("x", maxLine) + `"}`,
		`{"name": "z", "template": "{{ ti.try_number }}{{ ti.map_index }}", "context": null}`,
	}, "\n") // and no end of the last line
	out, _, err := try(in, "render", "--jsonl")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"a","result":"2026-11-21 1.0"}
{"result":{"{{ ds }}":["task",1.50,null,12345678901234567890],"b":"<&>"}}
{"name":"b","error_type":"UndefinedError","error_message":"'nope' is undefined","error_line":2}
{"name":"c","error_type":"TemplateSyntaxError","error_message":"unexpected 'end of template'","error_line":1}
{"error_type":"InvalidInput","error_message":"line 6 is not a JSON object"}
{"error_type":"InvalidInput","error_message":"line 7 is not JSON: unexpected end of JSON input"}
{"error_type":"InvalidInput","error_message":"line 8 is not a JSON object"}
{"name":"e","error_type":"InvalidInput","error_message":"the line has no template"}
{"name":"f","error_type":"InvalidInput","error_message":"logical_date: \"soon\" is not a time: expected ISO form, such as 2026-11-21T09:00:00+01:00 or 2026-11-21"}
{"name":"g","error_type":"InvalidInput","error_message":"params is not a JSON object"}
{"error_type":"InvalidInput","error_message":"line 12 is not UTF-8"}
{"error_type":"InvalidInput","error_message":"line 13 is longer than 4194304 bytes"}
{"name":"z","result":"1-1"}
`
	if d := cmp.Diff(want, out); d != "" {
		t.Errorf("render --jsonl: want -, got +:\n%s", d)
	}
}

// Each line is answered before the next one is there.
func TestRenderAnswersAtOnce(t *testing.T) {
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- answerLines(in, out, renderLine); out.Close() }()
	r := bufio.NewScanner(answers)
	for range 3 {
		if _, err := io.WriteString(feed, `{"template": "{{ 6 * 7 }}"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		if !r.Scan() || r.Text() != `{"result":"42"}` {
			t.Fatalf("answer = %q", r.Text())
		}
	}
	feed.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRenderOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "context.json")
	context := `{"logical_date": "2026-11-21T08:00:00+01:00", "params": {"who": "you"}, "xcom": {"a": {"return_value": [1, 2]}}, "run_id": "r1", "extras": true, "conf": {"k": "v"}}`
	if err := os.WriteFile(file, []byte(context), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		template, context string
		out, errOut, err  string
	}{
		{"{{ ts }} {{ params.who }}", context, "2026-11-21T07:00:00+00:00 you\n", "", ""},
		{"{{ ti.xcom_pull('a')[1] }} {{ run_id }} {{ dag_run.conf.k }}", file, "2 r1 v\n", "", ""},
		{"{{ dag_run }}", "", "", "UndefinedError: 'dag_run' is undefined (line 1)\n", "exit status 1"},
		{"a\n{{ 1 + 'x' }}", "", "", "TypeError: unsupported operand type(s) for +: 'int' and 'str' (line 2)\n", "exit status 1"},
		{"x", `{"logicaldate": "2026-11-21"}`, "", "", `--context: the context is not as expected: json: unknown field "logicaldate"`},
		{"x", `{"try_number": "1"}`, "", "", "--context: the context is not as expected: json: cannot unmarshal string into Go struct field renderContext.try_number of type int"},
		{"x", `{} {}`, "", "", "--context: something follows the context's object"},
		{"x", filepath.Join(t.TempDir(), "none.json"), "", "", "no such file or directory"},
	} {
		out, errOut, err := try("", "render", tt.template, "--context", tt.context)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if out != tt.out || errOut != tt.errOut || (got == "") != (tt.err == "") || !strings.HasSuffix(got, tt.err) {
			t.Errorf("render %q --context %s\ngot  %q, %q, error %q\nwant %q, %q, error %q", tt.template, tt.context, out, errOut, got, tt.out, tt.errOut, tt.err)
		}
	}
	if out, _, err := try("", "render", "{{ ds[:4] }}"); err != nil || out != time.Now().UTC().Format("2006")+"\n" {
		t.Errorf("render without a context: got %q, %v", out, err)
	}
	if _, _, err := try("", "render", "x", "--jsonl"); err == nil {
		t.Error("render x --jsonl is accepted")
	}
}

// FuzzLines holds that every line that is not blank gets one line of JSON.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"name": "a", "template": "{{ ds }}", "expr": "0 0 * * *"}` + "\n[]\n\n{"))
	f.Add([]byte(`{"template": ["{{ params }}"], "context": {"params": {"a": 1e400}, "xcom": {"a": null}}, "expr": "0 9 ? * 6L *", "timezone": "Europe/Berlin", "after": "0001-01-01"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		lines := 0
		for l := range bytes.Lines(in) {
			if len(bytes.TrimSpace(l)) > 0 {
				lines++
			}
		}
		for _, answer := range []func([]byte, error) any{renderLine, nextLine} {
			var out bytes.Buffer
			if err := answerLines(bytes.NewReader(in), &out, answer); err != nil {
				t.Fatalf("%q: %v", in, err)
			}
			n := 0
			for l := range bytes.Lines(out.Bytes()) {
				if n++; !json.Valid(l) {
					t.Errorf("%q: answer %q is not JSON", in, l)
				}
			}
			if n != lines {
				t.Errorf("%q: %d answers to %d lines", in, n, lines)
			}
		}
	})
}
