package wdl

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"

	"fairlead/internal/flow"
)

// programMeta is the Meta of a graph.
type programMeta struct {
	Main    string
	Lenient bool   `json:",omitempty"`
	Root    string `json:",omitempty"`
	Texts   map[string]string
}

// A Program is the documents of a graph, to find what its nodes do. It may be
// used by several goroutines.
type Program struct {
	Main    *Document
	Lenient bool

	plans map[string]*plan // by the path of the document
}

// Open returns the program of a graph that [Compile] made.
func Open(g *flow.Graph) (*Program, error) {
	var meta programMeta
	if err := json.Unmarshal(g.Meta, &meta); err != nil {
		return nil, fmt.Errorf("read the documents of a graph: %w", err)
	}
	doc, found := load(&loader{findings: &findings{}, read: func(file string, _ int64) (string, error) {
		text, ok := meta.Texts[file]
		if !ok {
			return "", fs.ErrNotExist
		}
		return text, nil
	}}, meta.Main, Options{Lenient: meta.Lenient, Root: meta.Root})
	for _, f := range found {
		if f.Severity == flow.Fault {
			return nil, fmt.Errorf("read the documents of a graph: %s:%s", f.File, f.Diagnostic)
		}
	}
	p := &Program{Main: doc, Lenient: meta.Lenient, plans: map[string]*plan{}}
	for _, d := range doc.All() {
		if d.Workflow != nil {
			p.plans[d.Source.Path] = newPlan(d)
			p.plans[d.Source.Path].cross()
		}
	}
	return p, nil
}

// A Place is what a node of a graph is about.
type Place struct {
	Do  Do
	Doc *Document // whose workflow it is in
	// Sections are those that the element is in, the outermost first.
	Sections []Element
	// Element is the call, scatter or conditional; nil of DoOutputs.
	Element Element
	// In names what the element's body uses of what is outside of it, and Out
	// what of its body is used outside of it. They are empty of what is no
	// section.
	In, Out []Used
}

// A Used is a part of a workflow that is used by a name.
type Used struct {
	Name string
	To   any // a *Decl, *Call or, for its variable, *Scatter
}

// Place returns what a node is about.
func (p *Program) Place(n *flow.Node) (Place, error) {
	var a Action
	if err := json.Unmarshal(n.Action, &a); err != nil {
		return Place{}, fmt.Errorf("read the action of node %s: %w", n.ID, err)
	}
	plan := p.plans[a.Doc]
	if plan == nil {
		return Place{}, fmt.Errorf("node %s: there is no workflow in %q", n.ID, a.Doc)
	}
	out := Place{Do: a.Do, Doc: plan.doc}
	body := plan.doc.Workflow.Body
	for i, at := range a.At {
		if at < 0 || at >= len(body) {
			return Place{}, fmt.Errorf("node %s: %s has no element %v", n.ID, a.Doc, a.At)
		}
		out.Element = body[at]
		if i < len(a.At)-1 {
			out.Sections = append(out.Sections, body[at])
		}
		body = bodyOf(body[at])
	}
	if out.Element != nil {
		out.In, out.Out = plan.in[out.Element], plan.out[out.Element]
	}
	return out, nil
}

// cross notes what is used across the border of each section.
func (p *plan) cross() {
	p.in, p.out = map[Element][]Used{}, map[Element][]Used{}
	type pair struct {
		section Element
		to      any
	}
	ins, outs := map[pair]bool{}, map[pair]bool{}
	note := func(list map[Element][]Used, seen map[pair]bool, section Element, r *Ref) {
		if k := (pair{section, r.To}); !seen[k] {
			seen[k] = true
			list[section] = append(list[section], Used{r.Name, r.To})
		}
	}
	look := func(part any) {
		p.own(part, func(r *Ref) {
			if _, known := p.section[r.To]; !known {
				return
			}
			from, to := p.around(part), p.around(r.To)
			if s, ok := r.To.(*Scatter); ok {
				to = append(to, s) // its variable is within
			}
			common := 0
			for common < len(from) && common < len(to) && from[common] == to[common] {
				common++
			}
			for _, s := range from[common:] {
				note(p.in, ins, s, r)
			}
			for _, s := range to[common:] {
				note(p.out, outs, s, r)
			}
		})
	}
	var visit func(body []Element)
	visit = func(body []Element) {
		for _, e := range body {
			look(e)
			visit(bodyOf(e))
		}
	}
	visit(p.doc.Workflow.Body)
	for _, d := range slices.Concat(p.doc.Workflow.Inputs, p.doc.Workflow.Outputs) {
		look(d)
	}
}

// around returns the sections that a part is in, the outermost first.
func (p *plan) around(part any) []Element {
	var out []Element
	for in := p.section[part]; in != nil; in = p.section[in] {
		out = append(out, in)
	}
	slices.Reverse(out)
	return out
}
