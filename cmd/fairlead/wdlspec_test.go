package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A specExample is an example of a text of the specification, which says how
// it is to be run.
type specExample struct {
	name, text    string
	inputs, wants map[string]any
	config        struct {
		Type, Target, Priority string
		Fail                   *bool
		ExcludeOutput          any `json:"exclude_output"`
		Dependencies           any
	}
}

var (
	specBlock = regexp.MustCompile(`(?s)<details>\s*<summary>\s*Example: (\S+)\s*` + "```wdl(.*?)```" + `\s*</summary>(.*?)</details>`)
	specParts = regexp.MustCompile(`(?s)(Example input|Example output|Test config):\s*` + "```json(.*?)```")
	specName  = regexp.MustCompile(`^(.+?)(_fail)?(_task)?(_resource)?\.wdl$`)
)

// specExamples reads the examples of a text. What is no JSON counts as absent.
func specExamples(text string) []specExample {
	var out []specExample
	for _, m := range specBlock.FindAllStringSubmatch(text, -1) {
		e := specExample{name: m[1], text: strings.TrimSpace(m[2]) + "\n"}
		for _, part := range specParts.FindAllStringSubmatch(m[3], -1) {
			into := map[string]any{"Example input": &e.inputs, "Example output": &e.wants, "Test config": &e.config}[part[1]]
			_ = json.Unmarshal([]byte(part[2]), into)
		}
		name := specName.FindStringSubmatch(e.name)
		if name == nil {
			continue
		}
		if e.config.Target == "" {
			e.config.Target = name[1]
		}
		if e.config.Fail == nil {
			fails := name[2] != ""
			e.config.Fail = &fails
		}
		if name[4] != "" {
			e.config.Type = "resource"
		}
		out = append(out, e)
	}
	return out
}

// TestWDLSpecification runs the examples of texts of the specification, named by
// FAIRLEAD_WDL_SPEC, with files of FAIRLEAD_WDL_SPEC_DATA. Some ask for what
// a machine may not have, or are wrong; so each is told of, and none is known
// here to pass.
func TestWDLSpecification(t *testing.T) {
	texts := filepath.SplitList(os.Getenv("FAIRLEAD_WDL_SPEC"))
	if len(texts) == 0 {
		t.Skip("FAIRLEAD_WDL_SPEC names no text")
	}
	for _, name := range texts {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		examples := specExamples(string(data))
		if len(examples) == 0 {
			t.Errorf("%s has no examples", name)
		}
		for _, e := range examples {
			if e.config.Type == "resource" || e.config.Priority == "ignore" {
				continue
			}
			t.Run(filepath.Base(name)+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				e.run(t, examples)
			})
		}
	}
}

func (e *specExample) run(t *testing.T, all []specExample) {
	dir := t.TempDir()
	if from := os.Getenv("FAIRLEAD_WDL_SPEC_DATA"); from != "" {
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range all {
		if err := os.WriteFile(filepath.Join(dir, other.name), []byte(other.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inputs, err := json.Marshal(e.inputs)
	if err != nil {
		t.Fatal(err)
	}
	job := wdlJob{file: filepath.Join(dir, e.name), inputs: string(inputs), base: dir, dir: filepath.Join(dir, "result"), target: e.config.Target}
	if e.inputs == nil {
		job.inputs = "{}"
	}
	if !regexp.MustCompile(`(?m)^(task|workflow) ` + regexp.QuoteMeta(job.target) + `\b`).MatchString(e.text) {
		job.target = "" // the name is not that of what is in it
	}
	out, said, err := runJob(t, "prefer", job)
	if *e.config.Fail {
		if err == nil {
			t.Errorf("%s\nit succeeded with %s; want it to fail", e.text, out)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s\n%v\n%s\nwant %v", e.text, err, said, e.wants)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range e.wants {
		short := name[strings.LastIndex(name, ".")+1:]
		if e.config.ExcludeOutput == any(short) || slices.Contains(list(e.config.ExcludeOutput), any(short)) {
			continue
		}
		if have := got[name]; !sameValue(have, want) {
			t.Errorf("%s\noutput %s: got %v, want %v", e.text, name, have, want)
		}
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// sameValue compares JSON: numbers nearly, and files by their base names.
func sameValue(have, want any) bool {
	switch w := want.(type) {
	case float64:
		h, ok := have.(float64)
		return ok && math.Abs(h-w) < 1e-6
	case string:
		h, ok := have.(string)
		return ok && (h == w || filepath.IsAbs(h) && filepath.Base(h) == filepath.Base(w))
	case []any:
		h, ok := have.([]any)
		return ok && slices.EqualFunc(h, w, sameValue)
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for k, v := range w {
			if !sameValue(h[k], v) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(have, want)
}

// TestSpecExamples reads a text in the form of the specification.
func TestSpecExamples(t *testing.T) {
	block := func(name, more string) string {
		return "<details>\n<summary>\nExample: " + name + "\n```wdl\nversion 1.2\nworkflow w {}\n```\n</summary>\n<p>\nExample input:\n```json\n{\"w.x\": 1}\n```\n" + more + "</p>\n</details>\n"
	}
	got := specExamples("text\n" + block("one.wdl", "Example output:\n\n```json\n{\"w.y\": [2]}\n```\n") + block("two_fail_task.wdl", "Test config:\n```json\n{\"priority\": \"ignore\", \"exclude_output\": \"z\"}\n```\n") + block("three_resource.wdl", ""))
	if len(got) != 3 {
		t.Fatalf("got %d examples, want 3: %+v", len(got), got)
	}
	one, two, three := got[0], got[1], got[2]
	if one.text != "version 1.2\nworkflow w {}\n" || one.inputs["w.x"] != 1.0 || !sameValue(one.wants["w.y"], []any{2.0}) || *one.config.Fail || one.config.Target != "one" {
		t.Errorf("got %+v of one.wdl", one)
	}
	if !*two.config.Fail || two.config.Target != "two" || two.config.Priority != "ignore" || two.config.ExcludeOutput != any("z") {
		t.Errorf("got %+v of two_fail_task.wdl", two)
	}
	if three.config.Type != "resource" {
		t.Errorf("got %+v of three_resource.wdl", three)
	}
}
