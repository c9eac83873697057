package airflow

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/internal/lang/jinja"
)

// A templateCase is one line of the shared file of templates.
type templateCase struct {
	Name     string          `json:"name"`
	Template json.RawMessage `json:"template"`
	Context  struct {
		LogicalDate time.Time                             `json:"logical_date"`
		DagID       string                                `json:"dag_id"`
		RunID       string                                `json:"run_id"`
		TaskID      string                                `json:"task_id"`
		Try         int                                   `json:"try_number"`
		MapIndex    int                                   `json:"map_index"`
		Params      json.RawMessage                       `json:"params"`
		XCom        map[string]map[string]json.RawMessage `json:"xcom"`
		Extras      bool                                  `json:"extras"`
		Conf        json.RawMessage                       `json:"conf"`
	} `json:"context"`
	Result       json.RawMessage `json:"result"`
	ErrorType    string          `json:"error_type"`
	ErrorMessage string          `json:"error_message"`
	ErrorLine    int             `json:"error_line"`
}

func (c *templateCase) variables() *Variables {
	x := c.Context
	return &Variables{
		Logical: x.LogicalDate, DagID: x.DagID, RunID: x.RunID, TaskID: x.TaskID, Try: x.Try, MapIndex: x.MapIndex,
		Params: x.Params, Extras: x.Extras, Conf: x.Conf,
		XCom: func(task, key string) (json.RawMessage, bool) {
			v, ok := x.XCom[task][key]
			return v, ok
		},
	}
}

func readTemplateCases(t testing.TB) []templateCase {
	path := filepath.Join("..", "..", "..", "..", "shared", "cases", "templates.jsonl")
	if other := os.Getenv("FAIRLEAD_TEMPLATE_CASES"); other != "" {
		path = other
	}
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the shared template cases are not here: %v", err)
	}
	defer f.Close()
	var cases []templateCase
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var c templateCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		cases = append(cases, c)
	}
	return cases
}

func compact(t *testing.T, raw json.RawMessage) string {
	var b bytes.Buffer
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for {
		tok, err := d.Token()
		if err != nil {
			return b.String()
		}
		if delim, ok := tok.(json.Delim); ok {
			b.WriteString(delim.String())
			continue
		}
		if err := enc.Encode(tok); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTemplateCases(t *testing.T) {
	for _, c := range readTemplateCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			got, err := c.variables().Render(c.Template)
			if c.ErrorType == "" {
				if err != nil {
					t.Fatalf("template %s\ngot error %v\nwant      %s", c.Template, err, c.Result)
				}
				if g, w := compact(t, got), compact(t, c.Result); g != w {
					t.Errorf("template %s\ngot  %s\nwant %s", c.Template, g, w)
				}
				return
			}
			e, ok := errors.AsType[*jinja.Error](err)
			if !ok {
				t.Fatalf("template %s\ngot  %s, error %v\nwant %s: %s", c.Template, got, err, c.ErrorType, c.ErrorMessage)
			}
			if e.Type != c.ErrorType || e.Message != c.ErrorMessage || c.ErrorLine > 0 && e.Line != c.ErrorLine {
				t.Errorf("template %s\ngot  %s: %s (line %d)\nwant %s: %s (line %d)", c.Template, e.Type, e.Message, e.Line, c.ErrorType, c.ErrorMessage, c.ErrorLine)
			}
		})
	}
}

// A task's templates share what they are shown, keys and other values stay
// as they are written, and order is kept.
func TestRenderStructure(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`5`, `5`},
		{`1.50`, `1.50`},
		{`"{{ ds }}"`, `"2026-11-21"`},
		{`{"{{ ds }}": ["{{ ds }}", 1.0, null], "b": {"a": "x\ny\n"}}`, `{"{{ ds }}": ["2026-11-21", 1.0, null], "b": {"a": "x\ny"}}`},
		{`["{% set _ = params.l.append(1) %}", "{{ params.l }}"]`, `["", "[1]"]`},
		{`"<&>{{ '<' }}"`, `"<&><"`},
		{`[{"a": []}, "{{ ti.try_number }}"]`, `[{"a": []}, "1"]`},
	} {
		v := &Variables{Logical: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), Try: 1, Params: json.RawMessage(`{"l": []}`)}
		got, err := v.Render(json.RawMessage(tt.in))
		if err != nil || string(got) != tt.want {
			t.Errorf("Render(%s)\ngot  %s, %v\nwant %s", tt.in, got, err, tt.want)
		}
	}
}

func TestExtrasAreAChoice(t *testing.T) {
	v := &Variables{Logical: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), RunID: "r"}
	if _, err := v.RenderText("{{ run_id }}"); err == nil || !strings.Contains(err.Error(), "'run_id' is undefined") {
		t.Errorf("run_id without extras: got %v, want that it is undefined", err)
	}
	v = &Variables{Logical: v.Logical, RunID: "r", Extras: true}
	if got, err := v.RenderText("{{ run_id }} {{ logical_date }}"); err != nil || got != "r 2026-11-21 08:00:00+00:00" {
		t.Errorf("run_id and logical_date with extras: got %q, %v", got, err)
	}
}

// Whatever is read as a date, zone, id or JSON argument, the answer is a
// value or an error of Python's.
func FuzzVariables(f *testing.F) {
	for _, s := range []string{
		"2026-11-21T08:00:00Z", "Sat, 21 Nov 2026 08:09:10 GMT+3", "10h 36m 5.5s", "1.2.3", "99991231T235960.999999-2359 (CEST)",
		"{886313e1-3b8a-5372-9b90-0c9aee199e5d}", "YYYY-MM-DD[T]HH:mm:ssZ [x] LLLL \\Y", "Europe/Berlin", "century", `{"a": ["{{ ds }}", 1.0]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		params, err := json.Marshal(map[string]string{"x": text})
		if err != nil {
			t.Skip()
		}
		v := &Variables{Logical: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), Params: params, Extras: true}
		check := func(src string, err error) {
			if e, ok := errors.AsType[*jinja.Error](err); err != nil && (!ok || strings.Contains(e.Message, "interpreter failed")) {
				t.Errorf("%s with %q: %v", src, text, err)
			}
		}
		for _, src := range []string{
			"{{ macros.dateutil.parser.parse(params.x) }}", "{{ macros.dateutil.parser.parse(params.x, fuzzy=true, dayfirst=true) }}",
			"{{ macros.dateutil.parser.isoparse(params.x) }}", "{{ macros.uuid.UUID(params.x).int }}", "{{ logical_date.format(params.x) }}",
			"{{ logical_date.in_timezone(params.x) }}", "{{ logical_date.end_of(params.x) }}", "{{ macros.dateutil.tz.gettz(params.x) }}",
			"{{ macros.datetime.fromisoformat(params.x) }}", "{{ macros.ds_format(ds, '%Y-%m-%d', params.x) }}", "{{ macros.ds_format(params.x, params.x, '%c') }}",
		} {
			_, err := v.RenderText(src)
			check(src, err)
		}
		_, err = v.Render(json.RawMessage(text))
		check("Render", err)
	})
}
