package wdl

import (
	"slices"
	"strings"
)

// refs calls f with each name that an expression uses.
func refs(e Expr, f func(*Ref)) {
	visit(e, func(e Expr) {
		if r, ok := e.(*Ref); ok {
			f(r)
		}
	})
}

// visit calls f with an expression and all that are in it.
func visit(e Expr, f func(Expr)) {
	if e == nil {
		return
	}
	f(e)
	each := func(list ...Expr) {
		for _, e := range list {
			visit(e, f)
		}
	}
	switch e := e.(type) {
	case *StringLit:
		for _, p := range e.Parts {
			if p.Hole != nil {
				visit(p.Hole.Expr, f)
			}
		}
	case *ArrayLit:
		each(e.Items...)
	case *PairLit:
		each(e.Left, e.Right)
	case *MapLit:
		for _, entry := range e.Entries {
			each(entry.Key, entry.Value)
		}
	case *ObjectLit:
		for _, m := range e.Members {
			each(m.Value)
		}
	case *Member:
		each(e.X)
	case *Index:
		each(e.X, e.I)
	case *Apply:
		each(e.Args...)
	case *Unary:
		each(e.X)
	case *Binary:
		each(e.X, e.Y)
	case *If:
		each(e.Cond, e.Then, e.Else)
	}
}

// A depNode is something that waits for others before it has a value.
type depNode struct {
	it    any // a *Decl, *Call, *Scatter or *Conditional
	name  Ident
	needs []any
}

// declNodes returns what declarations wait for.
func declNodes(decls []*Decl) []depNode {
	out := make([]depNode, len(decls))
	for i, d := range decls {
		out[i] = depNode{it: d, name: d.Name}
		refs(d.Expr, func(r *Ref) { out[i].needs = append(out[i].needs, r.To) })
	}
	return out
}

// workflowNodes returns what the parts of a workflow wait for. What is in a
// section waits for what the section is over.
func workflowNodes(w *Workflow) []depNode {
	out := declNodes(slices.Concat(w.Inputs, w.Outputs))
	byName := map[string]*Call{}
	for _, c := range calls(w.Body) {
		byName[c.Name().Text] = c
	}
	var visit func(body []Element, section any)
	visit = func(body []Element, section any) {
		for _, e := range body {
			n := depNode{it: e}
			need := func(r *Ref) { n.needs = append(n.needs, r.To) }
			if section != nil {
				n.needs = append(n.needs, section)
			}
			switch e := e.(type) {
			case *Decl:
				n.name = e.Name
				refs(e.Expr, need)
			case *Call:
				n.name = e.Name()
				for _, in := range e.Inputs {
					refs(in.Expr, need)
				}
				for _, after := range e.After {
					if c := byName[after.Text]; c != nil {
						n.needs = append(n.needs, c)
					}
				}
			case *Scatter:
				n.name = Ident{e.Items.At(), "scatter " + e.Var.Text}
				refs(e.Items, need)
				visit(e.Body, e)
			case *Conditional:
				n.name = Ident{e.Cond.At(), "if"}
				refs(e.Cond, need)
				visit(e.Body, e)
			}
			out = append(out, n)
		}
	}
	visit(w.Body, nil)
	return out
}

// cycles says which of the nodes wait for one another in a circle: the first
// such circle.
func (c *checker) cycles(nodes []depNode) {
	index := make(map[any]int, len(nodes))
	for i, n := range nodes {
		index[n.it] = i
	}
	const fresh, open, done = 0, 1, 2
	state := make([]byte, len(nodes))
	// The stack is our own, since a chain of declarations may be long.
	type frame struct{ node, next int }
	for start := range nodes {
		if state[start] != fresh {
			continue
		}
		stack := []frame{{start, 0}}
		state[start] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(nodes[top.node].needs) {
				state[top.node] = done
				stack = stack[:len(stack)-1]
				continue
			}
			need, ok := index[nodes[top.node].needs[top.next]]
			top.next++
			if !ok || state[need] == done {
				continue
			}
			if state[need] == open {
				var names []string
				for i := len(stack) - 1; i >= 0; i-- {
					names = append(names, nodes[stack[i].node].name.Text)
					if stack[i].node == need || len(names) > 20 {
						break
					}
				}
				slices.Reverse(names)
				c.fault(nodes[need].name.Span, "each needs the next: have one of them do without", "a circle: %s → %s", strings.Join(names, " → "), names[0])
				return
			}
			state[need] = open
			stack = append(stack, frame{need, 0})
		}
	}
}

// applies calls f with the name of each function that an expression calls.
func applies(e Expr, f func(name string)) {
	visit(e, func(e Expr) {
		if a, ok := e.(*Apply); ok {
			f(a.Name.Text)
		}
	})
}
