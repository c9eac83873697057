package wdl

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxOutline bounds an outline in bytes.
const maxOutline = 64 << 10

// Outline returns the calls and tasks of a document and of what it imports,
// indented, one a line: the form in which HealthOmics describes a workflow.
// Tasks that are called come before those that are not.
func Outline(doc *Document) string {
	o := &outliner{called: map[any]bool{}}
	for _, d := range doc.All() {
		if d.Workflow == nil {
			continue
		}
		for _, c := range calls(d.Workflow.Body) {
			o.called[c.Task] = true
			if c.Workflow != nil {
				o.called[c.Workflow.Workflow] = true
			}
		}
	}
	if doc.Workflow != nil {
		o.called[doc.Workflow] = true
	} else {
		o.all = true // nothing could be called
	}
	o.line(0, "%s", path.Base(doc.Source.Path))
	o.document(doc, 1)
	return o.text.String()
}

// An outliner writes an outline.
type outliner struct {
	text   strings.Builder
	called map[any]bool
	all    bool // treat everything as called
	full   bool
}

func (o *outliner) line(level int, format string, args ...any) {
	line := strings.Repeat("    ", level) + fmt.Sprintf(format, args...) + "\n"
	if o.full || o.text.Len()+len(line) > maxOutline-len("…\n") {
		if !o.full {
			o.text.WriteString("…\n")
		}
		o.full = true
		return
	}
	o.text.WriteString(line)
}

func (o *outliner) document(doc *Document, level int) {
	if o.full { // documents that are imported often would take long
		return
	}
	if w := doc.Workflow; w != nil {
		o.line(level, "workflow %s%s", w.Name.Text, o.unused(w))
		o.body(w.Body, level+1)
	}
	tasks := slices.Clone(doc.Tasks)
	slices.SortStableFunc(tasks, func(a, b *Task) int {
		return cmp.Or(strings.Compare(o.unused(a), o.unused(b)), strings.Compare(a.Name.Text, b.Name.Text))
	})
	for _, t := range tasks {
		o.line(level, "task %s%s", t.Name.Text, o.unused(t))
	}
	imports := slices.Clone(doc.Imports)
	slices.SortStableFunc(imports, func(a, b *Import) int { return strings.Compare(a.As.Text, b.As.Text) })
	for _, im := range imports {
		o.line(level, "%s : %s", im.As.Text, path.Base(im.URI))
		if im.Doc != nil {
			o.document(im.Doc, level+1)
		}
	}
}

func (o *outliner) unused(it any) string {
	if o.all || o.called[it] {
		return ""
	}
	return " (not called)"
}

func (o *outliner) body(body []Element, level int) {
	for _, e := range body {
		switch e := e.(type) {
		case *Call:
			if e.Alias.Text != "" {
				o.line(level, "call %s as %s", calleeName(e), e.Alias.Text)
				continue
			}
			o.line(level, "call %s", calleeName(e))
		case *Scatter:
			o.line(level, "scatter %s", e.Var.Text)
			o.body(e.Body, level+1)
		case *Conditional:
			o.line(level, "if")
			o.body(e.Body, level+1)
		}
	}
}
