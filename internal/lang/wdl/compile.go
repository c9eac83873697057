package wdl

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// Language is what graphs of this package are marked with.
const Language = "wdl"

// The bounds of a graph.
const (
	maxNodes = 20_000
	maxEdges = 1_000_000
)

// Compile returns the graph of a document that [Load] found no fault with.
//
// Each call of a task is a node. So is each scatter and conditional that has
// calls in it, and each call of a workflow: it unfolds into instances of a
// body of nodes, and gathers what they gave when they have ended. Declarations,
// and sections without calls, are no nodes: whoever needs their values
// evaluates them. The last node evaluates the workflow's outputs.
//
// The graph has the texts of all documents with it: see [Open].
func Compile(doc *Document, o Options) (flow.Definition, []Finding) {
	var f findings
	if doc.Workflow == nil {
		f.fault(doc.Span, "add a workflow that calls the tasks", "the document has no workflow")
		return flow.Definition{}, f.sorted()
	}
	c := &compiler{findings: &f, bodies: map[string][]flow.Node{}, plans: map[*Document]*plan{}}
	g := flow.Graph{Language: Language, FailFast: true, Bodies: c.bodies}
	p := c.plan(doc)
	g.Nodes = c.body(p, nil, doc.Workflow.Body)
	g.Nodes = append(g.Nodes, flow.Node{
		ID: "outputs.", Kind: "outputs", After: c.outputs(p, g.Nodes), Action: action(Action{Do: DoOutputs, Doc: doc.Source.Path}),
	})
	if c.nodes > maxNodes || c.edges > maxEdges {
		f.fault(doc.Workflow.Name.Span, "scatter over an array instead of writing calls out", "the workflow has more than %d calls and sections, or %d dependencies", maxNodes, maxEdges)
	}
	meta := programMeta{Main: doc.Source.Path, Lenient: o.Lenient, Root: doc.root, Texts: map[string]string{}}
	for _, d := range doc.All() {
		meta.Texts[d.Source.Path] = d.Source.Text
	}
	var err error
	if g.Meta, err = json.Marshal(meta); err != nil {
		panic(err) // texts and a bool
	}
	if Refused(f.list) {
		return flow.Definition{}, f.sorted()
	}
	return flow.Definition{Name: doc.Workflow.Name.Text, Graph: g}, f.sorted()
}

// An Action is what a node does.
type Action struct {
	Do  Do
	Doc string // path of the document whose workflow has the element
	// At is where the element is: its index in the workflow's body, then in
	// the body of that section, and so on. Empty of DoOutputs.
	At []int `json:",omitempty"`
}

// Do is the kind of an [Action].
type Do string

// The kinds.
const (
	DoCall     Do = "call"     // of a task
	DoWorkflow Do = "workflow" // a call of a workflow
	DoScatter  Do = "scatter"
	DoIf       Do = "if"
	DoOutputs  Do = "outputs" // of the run's workflow
)

func action(a Action) json.RawMessage {
	raw, err := json.Marshal(a)
	if err != nil {
		panic(err) // numbers and texts
	}
	return raw
}

// A compiler makes a graph.
type compiler struct {
	*findings
	bodies       map[string][]flow.Node
	plans        map[*Document]*plan
	nodes, edges int
}

// A plan knows where the parts of one workflow are.
type plan struct {
	doc *Document
	// section is what a part is directly in; nil for the workflow itself.
	section map[any]Element
	at      map[any][]int
	busy    map[any]bool // has calls in it
	calls   map[string]*Call
	// ids are the names of the nodes directly in each section; of nil, in the
	// workflow itself.
	ids     map[Element]map[Element]flow.TaskID
	needs   map[any][]Element // by part: the nodes beside it that it needs
	state   map[any]int
	in, out map[Element][]Used // see [Place]
	// idle are the declarations that nothing uses, but for those in sections
	// with calls.
	idle []*Decl
}

func (c *compiler) plan(doc *Document) *plan {
	if p := c.plans[doc]; p != nil {
		return p
	}
	p := newPlan(doc)
	c.plans[doc] = p
	return p
}

func newPlan(doc *Document) *plan {
	p := &plan{
		doc: doc, section: map[any]Element{}, at: map[any][]int{}, busy: map[any]bool{}, calls: map[string]*Call{},
		ids: map[Element]map[Element]flow.TaskID{}, needs: map[any][]Element{}, state: map[any]int{},
	}
	for _, d := range slices.Concat(doc.Workflow.Inputs, doc.Workflow.Outputs) {
		p.section[d] = nil
	}
	p.index(nil, nil, doc.Workflow.Body)
	p.findIdle()
	return p
}

// findIdle finds the declarations that nothing uses.
func (p *plan) findIdle() {
	used := map[any]bool{}
	note := func(r *Ref) { used[r.To] = true }
	for _, d := range slices.Concat(p.doc.Workflow.Inputs, p.doc.Workflow.Outputs) {
		refs(d.Expr, note)
	}
	for _, e := range p.doc.Workflow.Body {
		p.uses(e, note)
	}
	var visit func(body []Element)
	visit = func(body []Element) {
		for _, e := range body {
			if d, ok := e.(*Decl); ok && !used[d] && d.Expr != nil {
				p.idle = append(p.idle, d)
			} else if !p.busy[e] {
				visit(bodyOf(e))
			}
		}
	}
	visit(p.doc.Workflow.Body)
}

// index notes where the parts of a body are, and says whether it has calls.
func (p *plan) index(section Element, at []int, body []Element) (busy bool) {
	for i, e := range body {
		p.section[e] = section
		p.at[e] = append(slices.Clone(at), i)
		switch e := e.(type) {
		case *Call:
			p.calls[e.Name().Text] = e
			p.busy[e] = true
		default:
			p.busy[e] = p.index(e, p.at[e], bodyOf(e))
		}
		busy = busy || p.busy[e]
	}
	p.ids[section] = nodeIDs(p, body)
	return busy
}

// bodyOf returns the body of a section, and nothing of what is none.
func bodyOf(e Element) []Element {
	switch e := e.(type) {
	case *Scatter:
		return e.Body
	case *Conditional:
		return e.Body
	}
	return nil
}

// beside returns the part of a section's body, or of the workflow's, that is
// or has in it what a name means; nil if that is outside of the section, or
// its variable.
func (p *plan) beside(to any, section Element) any {
	if s, ok := to.(*Scatter); ok && Element(s) == section {
		return nil
	}
	for {
		in, known := p.section[to]
		switch {
		case !known:
			return nil
		case in == section:
			return to
		case in == nil:
			return nil
		}
		to = in
	}
}

// uses calls f with everything that a part uses, what is in a section for it
// too.
func (p *plan) uses(part any, f func(*Ref)) {
	p.own(part, f)
	if e, ok := part.(Element); ok {
		for _, inner := range bodyOf(e) {
			p.uses(inner, f)
		}
	}
}

// own calls f with what a part uses itself.
func (p *plan) own(part any, f func(*Ref)) {
	switch e := part.(type) {
	case *Decl:
		refs(e.Expr, f)
	case *Call:
		for _, in := range e.Inputs {
			refs(in.Expr, f)
		}
		for _, after := range e.After {
			if call := p.calls[after.Text]; call != nil {
				f(&Ref{node{Span: after.Span}, after.Text, call})
			}
		}
	case *Scatter:
		refs(e.Items, f)
	case *Conditional:
		refs(e.Cond, f)
	}
}

// after returns the nodes of a section, or of the workflow, that a part of it
// needs: those that it uses, and those that declarations which it uses need.
func (c *compiler) after(p *plan, section Element, part any) []Element {
	const open, done = 1, 2
	if p.state[part] == done {
		return p.needs[part]
	}
	p.state[part] = open
	var out []Element
	seen := map[any]bool{part: true}
	add := func(e Element) {
		if !seen[e] {
			seen[e] = true
			out = append(out, e)
			c.edges++
		}
	}
	looked := map[any]bool{part: true}
	p.uses(part, func(r *Ref) {
		it := p.beside(r.To, section)
		if it == nil || looked[it] || c.edges > maxEdges {
			return
		}
		looked[it] = true
		if p.state[it] == open {
			c.circle(part, it)
			return
		}
		// Its own needs are looked at for a node, too: a circle of sections
		// shows here alone.
		needs := c.after(p, section, it)
		if p.busy[it] {
			add(it.(Element))
			return
		}
		for _, e := range needs {
			add(e)
		}
	})
	p.state[part] = done
	p.needs[part] = out
	return out
}

// circle complains of two parts that wait for each other, though nothing in
// them waits for itself: a section has ended when all that is in it has.
func (c *compiler) circle(part, it any) {
	at := it.(interface{ At() Span }).At()
	c.fault(at, "move what needs the outside into a section of its own", "%s and %s wait for each other", title(part), title(it))
}

// title says what a part is.
func title(part any) string {
	switch e := part.(type) {
	case *Decl:
		return e.Name.Text
	case *Call:
		return "call " + e.Name().Text
	case *Scatter:
		return "scatter " + e.Var.Text
	}
	return "a conditional"
}

// body returns the nodes of a section, or of the workflow, each after what it
// needs.
func (c *compiler) body(p *plan, section Element, body []Element) []flow.Node {
	ids := p.ids[section]
	var out []flow.Node
	made := map[Element]bool{}
	var visit func(e Element)
	visit = func(e Element) {
		if made[e] || c.nodes > maxNodes || Refused(c.list) {
			return
		}
		made[e] = true
		n := flow.Node{ID: ids[e]}
		for _, up := range c.after(p, section, e) {
			if !Refused(c.list) {
				visit(up)
			}
			n.After = append(n.After, ids[up])
		}
		c.nodes++
		c.fill(&n, p, e)
		out = append(out, n)
	}
	for _, e := range body {
		if p.busy[e] {
			visit(e)
		}
	}
	return out
}

// nodeIDs names the nodes of a body: calls by their names, sections by what
// no call can be named.
func nodeIDs(p *plan, body []Element) map[Element]flow.TaskID {
	ids := map[Element]flow.TaskID{}
	count := map[string]int{}
	for _, e := range body {
		name := "if"
		switch e := e.(type) {
		case *Call:
			ids[e] = flow.TaskID(e.Name().Text)
			continue
		case *Scatter:
			name = "scatter." + e.Var.Text
		}
		if !p.busy[e] {
			continue
		}
		count[name]++
		ids[e] = flow.TaskID(fmt.Sprintf("%s.%d", name, count[name]))
	}
	return ids
}

// fill says what a node does.
func (c *compiler) fill(n *flow.Node, p *plan, e Element) {
	a := Action{Doc: p.doc.Source.Path, At: p.at[e]}
	switch e := e.(type) {
	case *Call:
		if e.Task != nil {
			a.Do = DoCall
			n.Kind = e.Task.Name.Text
			n.Retries = retries(e.Task)
			break
		}
		a.Do = DoWorkflow
		n.Kind = e.Workflow.Workflow.Name.Text
		n.Unfolds = c.workflow(e.Workflow)
	case *Scatter:
		a.Do, n.Kind = DoScatter, "scatter"
		n.Unfolds = c.section(p, e)
	case *Conditional:
		a.Do, n.Kind = DoIf, "if"
		n.Unfolds = c.section(p, e)
	}
	n.Action = action(a)
}

// workflow makes the body that calls of a document's workflow unfold into,
// and returns its name; empty if it has no nodes.
func (c *compiler) workflow(doc *Document) string {
	name := doc.Source.Path
	if c.plans[doc] == nil {
		if body := c.body(c.plan(doc), nil, doc.Workflow.Body); len(body) > 0 {
			c.bodies[name] = body
		}
	}
	if c.bodies[name] == nil {
		return ""
	}
	return name
}

// section makes the body that a section unfolds into, and returns its name.
func (c *compiler) section(p *plan, e Element) string {
	name := p.doc.Source.Path + ":" + strings.Trim(strings.ReplaceAll(fmt.Sprint(p.at[e]), " ", "."), "[]")
	c.bodies[name] = c.body(p, e, bodyOf(e))
	return name
}

// outputs returns the ids of the nodes that the workflow's outputs need, and of
// those that nothing else is after: what is published says that the run has
// succeeded, so that all of it must have.
func (c *compiler) outputs(p *plan, nodes []flow.Node) []flow.TaskID {
	ids := p.ids[nil]
	var out []flow.TaskID
	seen := map[flow.TaskID]bool{}
	for _, d := range p.doc.Workflow.Outputs {
		for _, e := range c.after(p, nil, d) {
			if id := ids[e]; !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	awaited := map[flow.TaskID]bool{}
	for _, n := range nodes {
		for _, up := range n.After {
			awaited[up] = true
		}
	}
	for _, n := range nodes {
		if !awaited[n.ID] && !seen[n.ID] {
			out = append(out, n.ID)
		}
	}
	return out
}

// The retries of a task. HealthOmics tries twice more after a fault of its own
// unless preemptible says otherwise. Of an expression the value is known when
// the task is performed; then as many attempts are left as it may allow, and
// whoever performs the task says that a failure is final.
const (
	defaultRetries = 2
	openRetries    = 10
	maxRetries     = 100
)

// retries returns how many attempts may follow a task's first one at most.
func retries(t *Task) int {
	sum, faults := 0, defaultRetries
	for _, a := range slices.Concat(t.Runtime, t.Requirements) {
		n := openRetries
		if lit, ok := a.Value.(*IntLit); ok {
			n = int(max(0, min(lit.Value, maxRetries)))
		}
		switch a.Key.Text {
		case "maxRetries", "max_retries":
			sum = n
		case "preemptible":
			faults = n
		}
	}
	return sum + faults
}
