package wdl

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"fairlead/internal/flow"
)

// Target returns the document that runs what a name means in a document: its
// workflow, or one of its tasks. With an empty name that is the workflow or,
// without one, the only task.
func Target(doc *Document, name string, o Options) (*Document, []Finding) {
	var f findings
	if name == "" && doc.Workflow == nil && len(doc.Tasks) == 1 {
		name = doc.Tasks[0].Name.Text
	}
	if doc.Workflow != nil && (name == "" || name == doc.Workflow.Name.Text) {
		return doc, nil
	}
	var task *Task
	var names []string
	for _, t := range doc.Tasks {
		names = append(names, t.Name.Text)
		if t.Name.Text == name {
			task = t
		}
	}
	if task == nil {
		what := fmt.Sprintf("the document has no workflow or task %q", name)
		if name == "" {
			what = "the document has no workflow, and more than one task"
		}
		f.fault(doc.Span, "name one: "+some(names), "%s", what)
		return doc, f.sorted()
	}
	texts := map[string]string{}
	for _, d := range doc.All() {
		texts[d.Source.Path] = d.Source.Text
	}
	o.Root = doc.root
	main := path.Join(path.Dir(doc.Source.Path), "target of "+path.Base(doc.Source.Path))
	texts[main] = wrapper(doc, task)
	out, found := load(&loader{findings: &findings{}, read: func(file string, _ int64) (string, error) {
		text, ok := texts[file]
		if !ok {
			return "", fs.ErrNotExist
		}
		return text, nil
	}}, main, o)
	if Refused(found) {
		return out, found
	}
	return out, nil
}

// calling goes before the name of a task in that of the call which [Target]
// makes of it: the workflow around it has the name itself.
const calling = "run_"

// wrapper is the text of a workflow that calls a task, and has its outputs.
func wrapper(doc *Document, t *Task) string {
	var b strings.Builder
	if doc.Version > Draft2 {
		fmt.Fprintf(&b, "version %s\n", doc.Version)
	}
	name := t.Name.Text
	fmt.Fprintf(&b, "import %q as document\nworkflow %s {\n  call document.%[2]s as %[3]s%[2]s\n  output {\n", path.Base(doc.Source.Path), name, calling)
	for _, d := range t.Outputs {
		fmt.Fprintf(&b, "    %s %s = %s%s.%[2]s\n", d.Type, d.Name.Text, calling, name)
	}
	b.WriteString("  }\n}\n")
	return b.String()
}

// TargetLabel is [Label] of what a person sees of a run of [Target]'s: a task
// that was named by itself has its own name.
func TargetLabel(doc *Document, id flow.TaskID) string {
	if own := calling + doc.Workflow.Name.Text; string(id) == own && strings.HasPrefix(path.Base(doc.Source.Path), "target of ") {
		return doc.Workflow.Name.Text
	}
	return Label(id)
}

// Layout returns an output with each file and directory in it replaced by what
// f returns for it and the path that it has in HealthOmics' layout: in a
// directory for the output, and in that one for each index, key or member.
func Layout(v Value, dir string, f func(p Path, to string) (Value, error)) (Value, error) {
	each := func(list []Value, name func(int) string) ([]Value, error) {
		out := make([]Value, len(list))
		for i, x := range list {
			var err error
			if out[i], err = Layout(x, filepath.Join(dir, name(i)), f); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch v := v.(type) {
	case Path:
		return f(v, filepath.Join(dir, filepath.Base(v.Name)))
	case *List:
		items, err := each(v.Items, strconv.Itoa)
		return &List{Items: items, item: v.item}, err
	case *Couple:
		two, err := each([]Value{v.Left, v.Right}, func(i int) string { return [...]string{"left", "right"}[i] })
		if err != nil {
			return nil, err
		}
		return &Couple{two[0], two[1]}, nil
	case *Dict:
		values, err := each(v.Values, func(i int) string { return safe(v.Keys[i]) })
		if err != nil {
			return nil, err
		}
		return NewDict(v.Keys, values), nil
	case *Record:
		values, err := each(v.Values, func(i int) string { return safe(v.Names[i]) })
		return &Record{Names: v.Names, Values: values}, err
	}
	return v, nil
}

// safe returns a key as the name of a directory.
func safe(v Value) string {
	s, _ := text(v)
	s = strings.NewReplacer("/", "_", "\x00", "_").Replace(s)
	if s == "" || s == "." || s == ".." {
		return "_" + s
	}
	return s
}
