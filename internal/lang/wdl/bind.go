package wdl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// overrides says that a name of an input is that of an attribute of a task that
// is called, as call.requirements.memory or subworkflow.call.runtime.cpu is.
func (d *Document) overrides(name string) bool {
	words := strings.Split(name, ".")
	n := len(words) - 2
	if n < 1 || !slices.Contains([]string{"requirements", "runtime", "hints"}, words[n]) {
		return false
	}
	for i, word := range words[:n] {
		if d == nil || d.Workflow == nil {
			return false
		}
		all := calls(d.Workflow.Body)
		at := slices.IndexFunc(all, func(c *Call) bool { return c.Name().Text == word })
		if at < 0 {
			return false
		}
		if i == n-1 {
			return all[at].Task != nil
		}
		d = all[at].Workflow
	}
	return false
}

// wrapped returns the name of the task that a workflow of [wrapper] is about, and
// nothing of any other.
func (d *Document) wrapped() string {
	w := d.Workflow
	if len(w.Body) != 1 {
		return ""
	}
	if c, ok := w.Body[0].(*Call); !ok || c.Task == nil || c.Alias.Text != "run_"+w.Name.Text || c.Task.Name.Text != w.Name.Text {
		return ""
	}
	return w.Name.Text
}

// Bind reads the inputs of a run, a JSON object, for a document's workflow.
// Names may begin with the workflow's and a dot, or not. The result has every
// input by its name as [Inputs] gives it, without defaults. What is wrong is
// said of all inputs at once. The attributes of tasks may be given, too: as
// call.requirements.KEY, or with runtime or hints in place of requirements.
func Bind(doc *Document, inputs []byte, lenient bool) (map[string]Value, error) {
	out := map[string]Value{}
	rec := &Record{}
	if len(inputs) > 0 {
		v, err := ParseJSON(inputs)
		if err != nil {
			return nil, fmt.Errorf("inputs: %w", err)
		}
		var ok bool
		if rec, ok = v.(*Record); !ok {
			return nil, fmt.Errorf("inputs: expected a JSON object, found %s", kindOf(v))
		}
	}
	rules := Rules{Version: doc.Version, Lenient: lenient}
	known := map[string]Input{}
	var names []string
	what, prefix := "workflow "+doc.Workflow.Name.Text, ""
	if task := doc.wrapped(); task != "" {
		what, prefix = "task "+task, "run_"+task+"."
	}
	for _, in := range Inputs(doc) {
		known[in.Name] = in
		names = append(names, strings.TrimPrefix(in.Name, prefix))
	}
	var wrong []error
	for i, full := range rec.Names {
		if strings.HasPrefix(full, "##") {
			continue // a comment, by a custom of inputs files
		}
		name := strings.TrimPrefix(full, doc.Workflow.Name.Text+".")
		in, ok := known[name]
		if !ok {
			name = prefix + name
			in, ok = known[name]
		}
		switch _, twice := out[name]; {
		case !ok && doc.overrides(strings.TrimPrefix(full, doc.Workflow.Name.Text+".")):
			out[strings.TrimPrefix(full, doc.Workflow.Name.Text+".")] = rec.Values[i]
			continue
		case !ok && doc.overrides(name):
			out[name] = rec.Values[i]
			continue
		case !ok:
			fix := ""
			if name := nearest(strings.TrimPrefix(full, doc.Workflow.Name.Text+"."), names); name != "" {
				fix = fmt.Sprintf("; did you mean %q?", name)
			}
			wrong = append(wrong, fmt.Errorf("%s has no input %q%s", what, full, fix))
			continue
		case twice:
			wrong = append(wrong, fmt.Errorf("input %q is given twice", name))
			continue
		}
		if rec.Values[i] == nil && in.Decl.Expr != nil && !in.Decl.Type.Optional {
			continue // its default
		}
		v, err := rules.Convert(rec.Values[i], in.Decl.Type)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("input %s: %w", full, err))
			continue
		}
		out[name] = v
	}
	var missing []string
	for _, in := range Inputs(doc) {
		if _, given := out[in.Name]; in.Required && !given && !slices.Contains(rec.Names, in.Name) && !slices.Contains(rec.Names, doc.Workflow.Name.Text+"."+in.Name) {
			missing = append(missing, fmt.Sprintf("%s %s", in.Decl.Type, strings.TrimPrefix(in.Name, prefix)))
		}
	}
	if len(missing) > 0 {
		wrong = append(wrong, fmt.Errorf("missing: %s", some(missing)))
	}
	return out, errors.Join(wrong...)
}
