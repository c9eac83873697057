package wdl

import (
	"fmt"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// maxExposed bounds the outputs of a workflow that names none.
const maxExposed = 2000

func (c *checker) workflow(w *Workflow) {
	s := outside(nil)
	for _, d := range w.Inputs {
		c.declared(s, d)
	}
	c.resolveBody(w.Body)
	c.gather(s, w.Body, "")
	if w.HasInputs {
		for _, e := range w.Body {
			if d, ok := e.(*Decl); ok {
				c.stray([]*Decl{d}, "workflow")
			}
		}
	}
	for _, d := range w.Inputs {
		c.bound(s, d)
	}
	c.body(s, w.Body)
	out := outside(s)
	if !w.HasOutputs && c.rules.Version <= V10 {
		// Up to 1.0 all outputs of calls are the workflow's then.
		seen, size := map[string]bool{}, 0
		for _, call := range calls(w.Body) {
			name := call.Name()
			if sym, ok := s.find(name.Text); ok && sym.typ.Kind == Outputs && !seen[name.Text] {
				seen[name.Text] = true
				if size += len(sym.typ.Struct.Members); size > maxExposed {
					c.fault(w.Name.Span, "add an output section", "the calls have more than %d outputs", maxExposed)
					break
				}
				w.Exposed = append(w.Exposed, &Exposed{call.Span, []Ident{name, {call.Span, "*"}}})
			}
		}
	}
	for _, e := range w.Exposed {
		c.exposed(s, w, e)
	}
	for _, d := range w.Outputs {
		if d.exposes {
			continue
		}
		c.declared(out, d)
	}
	for _, d := range w.Outputs {
		c.bound(out, d)
	}
	c.cycles(workflowNodes(w))
	inputs := w.inputs(c.rules.Version)
	c.described(w.ParameterMeta, slices.Concat(inputs, w.Outputs))
	if c.main {
		c.paths(inputs)
	}
}

// exposed turns a line of an output section of draft-2 into declarations.
func (c *checker) exposed(s *scope, w *Workflow, e *Exposed) {
	expose := func(name string, t Type, value Expr) {
		if slices.ContainsFunc(w.Outputs, func(d *Decl) bool { return d.Name.Text == name }) {
			c.fault(e.Span, "name it once", "output %q is there twice", name)
			return
		}
		w.Outputs = append(w.Outputs, &Decl{Span: e.Span, Type: t, TypeAt: e.Span, exposes: true, Name: Ident{e.Span, name}, Expr: value})
	}
	call, ok := s.find(e.Name[0].Text)
	ref := &Ref{node{Span: e.Name[0].Span}, e.Name[0].Text, nil}
	switch {
	case !ok:
		c.fault(e.Span, c.meant(e.Name[0].Text, c.known(s)), "the workflow has no call or declaration %q", e.Name[0].Text)
		return
	case call.typ.Kind != Outputs && len(e.Name) == 1:
		// It is an output of its own name, which its value has, too.
		expose(e.Name[0].Text, call.typ, ref)
		return
	case call.typ.Kind != Outputs || len(e.Name) != 2:
		c.fault(e.Span, "write call.output or call.*", "expected the name of a call and of its output")
		return
	}
	for _, f := range call.typ.Struct.Members {
		f.Type, _ = call.typ.Struct.Field(f.Name)
		if name := e.Name[1].Text; name != "*" && name != f.Name {
			continue
		}
		expose(e.Name[0].Text+"."+f.Name, f.Type, &Member{node{Span: e.Span}, ref, Ident{e.Name[1].Span, f.Name}})
	}
	if _, known := call.typ.Struct.Field(e.Name[1].Text); !known && e.Name[1].Text != "*" {
		c.fault(e.Name[1].Span, c.meant(e.Name[1].Text, fieldNames(call.typ.Struct)), "call %s has no output %q", e.Name[0].Text, e.Name[1].Text)
	}
}

func fieldNames(s *StructType) []string {
	out := make([]string, len(s.Members))
	for i, f := range s.Members {
		out[i] = f.Name
	}
	return out
}

// resolveBody resolves the types of declarations and what is called.
func (c *checker) resolveBody(body []Element) {
	for _, e := range body {
		switch e := e.(type) {
		case *Decl:
			e.Type = c.resolve(e.Type, e.TypeAt)
		case *Call:
			c.callee(e)
		case *Scatter:
			c.resolveBody(e.Body)
		case *Conditional:
			c.resolveBody(e.Body)
		}
	}
}

// callee finds what a call calls.
func (c *checker) callee(call *Call) {
	doc := c.doc
	names := make([]string, len(call.Callee))
	for i, id := range call.Callee {
		names[i] = id.Text
	}
	full := strings.Join(names, ".")
	switch len(names) {
	case 1:
	case 2:
		i := slices.IndexFunc(c.doc.Imports, func(im *Import) bool { return im.As.Text == names[0] })
		if i < 0 {
			var known []string
			for _, im := range c.doc.Imports {
				known = append(known, im.As.Text)
			}
			c.fault(call.Callee[0].Span, c.meant(names[0], known), "call %s: there is no import %q", full, names[0])
			return
		}
		if doc = c.doc.Imports[i].Doc; doc == nil {
			return
		}
	default:
		c.fault(call.Callee[2].Span, "import the document that has it", "call %s: expected a task or import.task", full)
		return
	}
	name := call.Callee[len(names)-1]
	if w := doc.Workflow; w != nil && w.Name.Text == name.Text {
		if doc == c.doc {
			c.fault(name.Span, "", "a workflow does not call itself")
			return
		}
		call.Workflow = doc
		c.callable(call, doc)
		return
	}
	known := []string{}
	for _, t := range doc.Tasks {
		if t.Name.Text == name.Text {
			call.Task, call.Doc = t, doc
			return
		}
		known = append(known, t.Name.Text)
	}
	if doc.Workflow != nil && doc != c.doc {
		known = append(known, doc.Workflow.Name.Text)
	}
	where := "the document"
	if doc != c.doc {
		where = names[0]
	} else {
		for _, im := range c.doc.Imports {
			if im.Doc != nil && slices.ContainsFunc(im.Doc.Tasks, func(t *Task) bool { return t.Name.Text == name.Text }) {
				c.fault(name.Span, fmt.Sprintf("write call %s.%s", im.As.Text, name.Text), "call %s: the task is in the import %s", full, im.As.Text)
				return
			}
		}
	}
	c.fault(name.Span, c.meant(name.Text, known), "call %s: %s has no task or workflow %q", full, where, name.Text)
}

// callable complains of a workflow that cannot be called since calls in it
// lack inputs that nobody can give.
func (c *checker) callable(call *Call, doc *Document) {
	if c.whole[doc] || c.full() {
		return
	}
	c.whole[doc] = true
	for _, inner := range calls(doc.Workflow.Body) {
		if missing := inner.missing(); len(missing) > 0 {
			c.fault(call.At(), fmt.Sprintf("give it in %s, line %d", doc.Source.Path, inner.Line),
				"workflow %s cannot be called: its call %s lacks %s", doc.Workflow.Name.Text, inner.Name().Text, quoted(missing))
			c.whole[doc] = false
			return
		}
	}
}

// quoted lists names in quotes.
func quoted(names []string) string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, fmt.Sprintf("%q", n))
	}
	return strings.Join(out, ", ")
}

// calls returns all calls of a body, those within its sections too.
func calls(body []Element) []*Call {
	var out []*Call
	for _, e := range body {
		switch e := e.(type) {
		case *Call:
			out = append(out, e)
		case *Scatter:
			out = append(out, calls(e.Body)...)
		case *Conditional:
			out = append(out, calls(e.Body)...)
		}
	}
	return out
}

// inputs returns the declarations that inputs may set: those of the input
// section or, without one, those of the body that have no value and, in
// draft-2, those that have one too and do not wait for a call.
func (w *Workflow) inputs(v Version) []*Decl {
	if w.HasInputs {
		return w.Inputs
	}
	var out []*Decl
	for _, e := range w.Body {
		if d, ok := e.(*Decl); ok && (d.Expr == nil || v == Draft2 && !waits(d.Expr)) {
			out = append(out, d)
		}
	}
	return out
}

// inputs returns the declarations that inputs may set.
func (t *Task) inputs(v Version) []*Decl {
	if t.HasInputs {
		return t.Inputs
	}
	return slices.DeleteFunc(slices.Clone(t.Decls), func(d *Decl) bool { return d.Expr != nil && v > Draft2 })
}

// waits says that an expression uses a call's output.
func waits(e Expr) bool {
	found := false
	refs(e, func(r *Ref) {
		if _, ok := r.To.(*Call); ok {
			found = true
		}
	})
	return found
}

// Takes returns the declarations that inputs of the call may set; none where
// it is not known what is called.
func (c *Call) Takes() []*Decl {
	switch {
	case c.Task != nil:
		return c.Task.inputs(c.Doc.Version)
	case c.Workflow != nil:
		return c.Workflow.Workflow.inputs(c.Workflow.Version)
	}
	return nil
}

// maxMissing bounds the inputs that are listed as missing.
const maxMissing = 20

// missing returns the first inputs that the call needs and is not given.
func (c *Call) missing() []string {
	given := make(map[string]bool, len(c.Inputs))
	for _, in := range c.Inputs {
		given[in.Name.Text] = true
	}
	var out []string
	for _, d := range c.Takes() {
		if d.Expr == nil && !d.Type.Optional && !given[d.Name.Text] && len(out) < maxMissing {
			out = append(out, d.Name.Text)
		}
	}
	return out
}

// outputsOf returns the type of what a call's name stands for.
func (c *checker) outputsOf(call *Call, wraps string) Type {
	var decls []*Decl
	switch {
	case call.Task != nil:
		decls = call.Task.Outputs
	case call.Workflow != nil:
		decls = call.Workflow.Workflow.Outputs
	default:
		return Type{} // what is wrong has been said
	}
	fields, known := c.called[call.callee()]
	if !known {
		for _, d := range decls {
			fields = append(fields, Field{d.Name.Text, d.Type})
		}
		c.called[call.callee()] = fields
	}
	return Type{Kind: Outputs, Struct: &StructType{Name: "call " + call.Name().Text, Members: fields, wraps: wraps}}
}

// gather adds the names of a body to a scope, with the types that they have
// outside of the sections that they are in.
func (c *checker) gather(s *scope, body []Element, wraps string) {
	for _, e := range body {
		switch e := e.(type) {
		case *Decl:
			c.add(s, e.Name.Text, symbol{wrapped(e.Type, wraps), e, e.Name.Span})
		case *Call:
			name := e.Name()
			if w := c.doc.Workflow; w.Name.Text == name.Text {
				c.fault(name.Span, fmt.Sprintf("write call %s as another_name", name.Text), "a call does not have the name of its workflow")
			}
			c.add(s, name.Text, symbol{c.outputsOf(e, wraps), e, name.Span})
		case *Scatter:
			c.gather(s, e.Body, wraps+"A")
		case *Conditional:
			c.gather(s, e.Body, wraps+"O")
		}
	}
}

// body checks the elements of a workflow or of a section, whose names are in
// the scope.
func (c *checker) body(s *scope, body []Element) {
	for _, e := range body {
		switch e := e.(type) {
		case *Decl:
			c.bound(s, e)
		case *Call:
			c.call(s, e)
		case *Scatter:
			c.expr(s, e.Items)
			items := e.Items.Type()
			switch {
			case items.Any():
			case items.Kind == Map && c.rules.Lenient && !items.Optional:
				e.Item = PairOf(items.Key(), items.Value())
			case items.Kind != Array || items.Optional:
				fix := c.cure(items, ArrayOf(items.Item()))
				if items.Kind == Int {
					fix = "use range()"
				}
				c.fault(e.Items.At(), fix, "scatter: expected an array, found %s", items)
			default:
				e.Item = items.Item()
			}
			inner := c.section(e.Body)
			if known, ok := s.find(e.Var.Text); ok {
				c.fault(e.Var.Span, "choose another name", "%q is declared on line %d already", e.Var.Text, known.at.Line)
			}
			inner.outer = &scope{map[string]symbol{e.Var.Text: {e.Item, e, e.Var.Span}}, s}
			c.body(inner, e.Body)
		case *Conditional:
			c.assign(s, e.Cond, Of(Boolean), "condition")
			inner := c.section(e.Body)
			inner.outer = s
			c.body(inner, e.Body)
		}
	}
}

// section returns the names of a section as they are within it. That none is
// taken was checked when they were gathered for the whole workflow.
func (c *checker) section(body []Element) *scope {
	inner := outside(nil)
	quiet := &checker{findings: &findings{}, rules: c.rules, doc: c.doc, called: c.called}
	quiet.gather(inner, body, "")
	for _, e := range body {
		if d, ok := e.(*Decl); ok && d.Expr == nil && !d.Type.Optional {
			c.fault(d.Name.Span, "move it to the input section, or give it a value", "%q has no value and is within a section", d.Name.Text)
		}
	}
	return inner
}

func (c *checker) call(s *scope, call *Call) {
	for _, after := range call.After {
		sym, ok := s.find(after.Text)
		if _, isCall := sym.to.(*Call); !ok || !isCall {
			c.fault(after.Span, c.meant(after.Text, c.known(s)), "after: the workflow has no call %q", after.Text)
		}
	}
	known := call.Task != nil || call.Workflow != nil
	takes := c.takes(call)
	seen := map[string]bool{}
	for _, in := range call.Inputs {
		c.expr(s, in.Expr)
		if seen[in.Name.Text] {
			c.fault(in.Name.Span, "", "input %q is given twice", in.Name.Text)
		}
		seen[in.Name.Text] = true
		if !known {
			continue
		}
		d := takes[in.Name.Text]
		if d == nil {
			c.noInput(call, in, takes)
			continue
		}
		want := d.Type
		if d.Expr != nil {
			want = want.Opt() // None means the default
		}
		c.fits(in.Expr, want, fmt.Sprintf("input %s of %s", in.Name.Text, call.what()))
	}
	if !c.main || c.count[flow.Caution] > maxFindings {
		return
	}
	if missing := call.missing(); len(missing) > 0 {
		c.caution(call.Name().Span, fmt.Sprintf("write call %s { input: %s = … }", calleeName(call), missing[0]),
			"call %s is not given %s: whoever starts a run has to, as %s.%s.%s", call.Name().Text, quoted(missing), c.doc.Workflow.Name.Text, call.Name().Text, missing[0])
	}
}

// takes returns the inputs of what is called, by name.
func (c *checker) takes(call *Call) map[string]*Decl {
	key := call.callee()
	out, known := c.inputs[key]
	if !known {
		out = map[string]*Decl{}
		for _, d := range call.Takes() {
			out[d.Name.Text] = d
		}
		c.inputs[key] = out
	}
	return out
}

// noInput complains of an input that what is called does not have.
func (c *checker) noInput(call *Call, in *CallInput, takes map[string]*Decl) {
	fix := ""
	if !c.full() {
		names := keys(takes)
		fix = c.meant(in.Name.Text, names)
		if fix == "" && len(names) > 0 && len(names) <= maxMissing {
			fix = "its inputs are " + strings.Join(names, ", ")
		}
	}
	c.fault(in.Name.Span, fix, "%s has no input %q", call.what(), in.Name.Text)
}

// callee is the task or document that is called.
func (c *Call) callee() any {
	if c.Workflow != nil {
		return c.Workflow
	}
	return c.Task
}

func calleeName(c *Call) string {
	names := make([]string, len(c.Callee))
	for i, id := range c.Callee {
		names[i] = id.Text
	}
	return strings.Join(names, ".")
}

// what says what is called.
func (c *Call) what() string {
	if c.Workflow != nil {
		return "workflow " + c.Workflow.Workflow.Name.Text
	}
	return "task " + c.Callee[len(c.Callee)-1].Text
}

// paths remarks on texts that look like files, which nobody fetches, and
// warns of files that are where the service does not fetch from.
func (c *checker) paths(inputs []*Decl) {
	for _, d := range inputs {
		item := d.Type
		for item.Kind == Array {
			item = item.Item()
		}
		value := literalText(d.Expr)
		switch scheme, _, remote := strings.Cut(value, "://"); {
		case item.Kind == String && (looksLikePath(d.Name.Text) || remote && (scheme == "s3" || scheme == "omics")):
			c.remark(d.TypeAt, "write File if tasks are to read it", "input %s is a String, which is passed as text and not fetched", d.Name.Text)
		case item.Path() && remote && scheme != "s3" && scheme != "omics" && len(scheme) <= maxScheme:
			c.caution(d.Expr.At(), "put the file into S3", "input %s: HealthOmics fetches from s3:// and omics:// alone, not from %s://", d.Name.Text, scheme)
		}
	}
}

// maxScheme bounds what is taken for the scheme of a URL.
const maxScheme = 10

// looksLikePath says that a name is one that people give to files.
func looksLikePath(name string) bool {
	name = strings.ToLower(name)
	for _, end := range [...]string{"_file", "_path", "_uri", "_bam", "_cram", "_fastq", "_vcf", "_fasta", "_bed", "_files", "_paths"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}
