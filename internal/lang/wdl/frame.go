package wdl

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fairlead/internal/flow"
)

// Values are what the tasks of a run have published.
type Values interface {
	// Output returns the value that a task of the run published under key.
	Output(ctx context.Context, run flow.RunID, task flow.TaskID, key string) (json.RawMessage, bool, error)
	// OutputsBetween returns what the tasks with indices in [from, to)
	// published under key, in their order.
	OutputsBetween(ctx context.Context, run flow.RunID, from, to int, key string) ([]flow.Output, error)
}

// The keys under which tasks publish. A scatter publishes its items in pieces
// under keyItems and the number of the piece, a call of a workflow the inputs
// of the workflow.
const (
	keyOutputs = "outputs"
	keyInputs  = "inputs"
	keyItems   = "items/"
)

// piece is how many items of a scatter are published together: a task within
// reads one piece, so that it costs the same however many there are.
const piece = 100

// A unread error says that what was published cannot be read: it is we who
// failed, and not the workflow.
type unread struct{ err error }

func (u *unread) Error() string { return u.err.Error() }
func (u *unread) Unwrap() error { return u.err }

// A scene is a run as its attempts see it: the program, and values that stay
// as they are while nobody has anything done again.
type scene struct {
	mu      sync.Mutex // held while something is evaluated
	program *Program
	graph   *flow.Graph
	run     flow.RunID
	epoch   int64
	files   Files
	lenient bool
	root    *frame
	digests *digests
	// What is below belongs to whoever holds mu.
	ctx    context.Context //nolint:containedctx // the caller's, while it evaluates: environments have no parameter for it
	values Values
}

// A frame is where names mean something: a workflow, or one instance of a
// section of it.
type frame struct {
	s       *scene
	plan    *plan
	section Element // nil: the workflow itself
	around  *frame  // of a section
	prefix  flow.TaskID
	ids     map[Element]flow.TaskID // of nodes directly in it
	body    []Element
	item    Value            // of the variable of a scatter
	given   map[string]Value // to calls in the workflow, by Input.Name
	scope   *Scope
	v       *Evaluator
	known   map[any]Value
	inner   map[flow.TaskID]*frame // instances that are worth keeping
	last    portion                // of a scatter in the frame, those that were read last
}

// A portion is a piece of the items of a scatter.
type portion struct {
	of    flow.TaskID
	piece int
	list  *List
}

func (s *scene) newFrame(p *plan, section Element, around *frame, prefix flow.TaskID) *frame {
	f := &frame{s: s, plan: p, section: section, around: around, prefix: prefix, known: map[any]Value{}, inner: map[flow.TaskID]*frame{}}
	f.body = p.doc.Workflow.Body
	if section != nil {
		f.body = bodyOf(section)
	}
	f.ids = p.ids[section]
	f.v = &Evaluator{Rules: Rules{Version: p.doc.Version, Lenient: s.lenient}, Files: s.files}
	f.scope = NewScope(f.v, outerEnv{f}, nil, decls(f.body))
	return f
}

// workflow returns the frame of a workflow with some inputs: its own, and
// those of calls in it.
func (s *scene) workflow(p *plan, prefix flow.TaskID, inputs map[string]Value) *frame {
	f := s.newFrame(p, nil, nil, prefix)
	w := p.doc.Workflow
	given := map[*Decl]Value{}
	for _, d := range w.inputs(p.doc.Version) {
		if v, ok := inputs[d.Name.Text]; ok {
			given[d] = v
		}
	}
	f.given = inputs
	f.scope = NewScope(f.v, outerEnv{f}, given, w.Inputs, decls(f.body), w.Outputs)
	return f
}

func decls(body []Element) []*Decl {
	var out []*Decl
	for _, e := range body {
		if d, ok := e.(*Decl); ok {
			out = append(out, d)
		}
	}
	return out
}

// top returns the frame of the workflow that a frame is in.
func (f *frame) top() *frame {
	for f.around != nil {
		f = f.around
	}
	return f
}

// outerEnv gives a frame's scope what it does not declare.
type outerEnv struct{ f *frame }

func (o outerEnv) Value(r *Ref) (Value, error) {
	v, err := o.f.find(r.To)
	if err != nil {
		return nil, err
	}
	return o.f.v.Rules.Convert(v, r.Type())
}

// find returns the value of a part as it is seen from within the frame.
func (f *frame) find(to any) (Value, error) {
	for g := f; g != nil; g = g.around {
		if s, ok := to.(*Scatter); ok && Element(s) == g.section {
			return g.item, nil
		}
		switch it := g.plan.beside(to, g.section); {
		case it == nil:
		case it == to:
			return g.direct(to)
		default:
			return g.through(it.(Element), to)
		}
	}
	return nil, fmt.Errorf("the name means nothing here") // Load resolves names
}

// direct returns the value of a declaration or call that is directly in the
// frame.
func (f *frame) direct(to any) (Value, error) {
	if d, ok := to.(*Decl); ok {
		return f.scope.Decl(d)
	}
	c, ok := to.(*Call)
	if !ok {
		return nil, fmt.Errorf("no value: %T", to)
	}
	if v, ok := f.known[to]; ok {
		return v, nil
	}
	v, err := f.s.published(f.prefix + f.ids[c])
	if err == nil {
		v, err = f.v.Rules.Convert(v, c.gives())
	}
	if err != nil {
		return nil, err
	}
	f.known[to] = v
	return v, nil
}

// gives returns the type of the outputs of what a call calls.
func (c *Call) gives() Type {
	out := &StructType{Name: "call " + c.Name().Text}
	decls := []*Decl(nil)
	if c.Task != nil {
		decls = c.Task.Outputs
	} else if c.Workflow != nil {
		decls = c.Workflow.Workflow.Outputs
	}
	for _, d := range decls {
		out.Members = append(out.Members, Field{d.Name.Text, d.Type})
	}
	return Type{Kind: Outputs, Struct: out}
}

// through returns what a section directly in the frame has made of a part of
// its body: an array, or what may be None.
func (f *frame) through(section Element, to any) (Value, error) {
	if f.plan.busy[section] {
		all, ok := f.known[section].(*Record)
		if !ok {
			v, err := f.s.published(f.prefix + f.ids[section])
			if err != nil {
				return nil, err
			}
			if all, ok = v.(*Record); !ok {
				return nil, fmt.Errorf("task %s has published %s", f.prefix+f.ids[section], kindOf(v))
			}
			f.known[section] = all
		}
		v, ok := all.Find(f.plan.name(to))
		if !ok {
			return nil, fmt.Errorf("task %s has not published %s", f.prefix+f.ids[section], f.plan.name(to))
		}
		return v, nil
	}
	// Without calls it is no node: whoever asks evaluates it.
	n, items, err := f.expand(section)
	if err != nil {
		return nil, err
	}
	out := &List{Items: make([]Value, n)}
	for k := range n {
		g := f.s.newFrame(f.plan, section, f, "")
		g.v.steps = f.v.steps
		if items != nil {
			g.item = items[k]
		}
		if out.Items[k], err = g.find(to); err != nil {
			return nil, err
		}
		f.v.steps = g.v.steps
	}
	if _, ok := section.(*Conditional); ok {
		if n == 0 {
			return nil, nil
		}
		return out.Items[0], nil
	}
	return out, nil
}

// name returns the name under which a part is published by the section that
// it is in. Names within a workflow are unique.
func (p *plan) name(to any) string {
	switch to := to.(type) {
	case *Decl:
		return to.Name.Text
	case *Call:
		return to.Name().Text
	}
	return ""
}

// expand evaluates how many instances a section has, and their items.
func (f *frame) expand(section Element) (n int, items []Value, err error) {
	switch e := section.(type) {
	case *Conditional:
		v, err := f.v.As(e.Cond, Of(Boolean))
		if err != nil || v == false {
			return 0, nil, err
		}
		return 1, nil, nil
	case *Scatter:
		v, err := f.v.As(e.Items, ArrayOf(e.Item))
		if err != nil {
			return 0, nil, err
		}
		l := v.(*List)
		return len(l.Items), l.Items, nil
	}
	return 1, nil, nil
}

// published reads what a task has published as its outputs.
func (s *scene) published(task flow.TaskID) (Value, error) { return s.read(task, keyOutputs) }

func (s *scene) read(task flow.TaskID, key string) (Value, error) {
	raw, ok, err := s.values.Output(s.ctx, s.run, task, key)
	if err != nil {
		return nil, &unread{fmt.Errorf("outputs of task %s: %w", task, err)}
	}
	if !ok {
		return nil, fmt.Errorf("task %s has published no %s", task, key)
	}
	v, err := ParseJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("outputs of task %s: %w", task, err)
	}
	return v, nil
}

// at returns the frame that a task is directly in, and the task's element; nil
// of the task that evaluates the run's outputs.
func (s *scene) at(task flow.TaskID) (*frame, Element, error) {
	f, nodes := s.root, s.graph.Nodes
	words := strings.Split(string(task), "/")
	for ; len(words) > 2; words = words[2:] {
		id := flow.TaskID(words[0])
		k, err := strconv.Atoi(words[1])
		i := slices.IndexFunc(nodes, func(n flow.Node) bool { return n.ID == id })
		if err != nil || i < 0 {
			return nil, nil, fmt.Errorf("task %s: the graph has no %s", task, words[0])
		}
		nodes = s.graph.Bodies[nodes[i].Unfolds]
		if f, err = f.instance(id, k); err != nil {
			return nil, nil, err
		}
	}
	for g := f; g != nil; g = g.around {
		g.v.steps = 0 // the bound is on one attempt
	}
	return f, f.element(flow.TaskID(words[0])), nil
}

// element returns the element of a node that is directly in the frame.
func (f *frame) element(id flow.TaskID) Element {
	for e, have := range f.ids {
		if have == id {
			return e
		}
	}
	return nil
}

// instance returns the frame of an instance of a section, or of the workflow
// that is called, directly in the frame.
func (f *frame) instance(id flow.TaskID, k int) (*frame, error) {
	if g := f.inner[id]; g != nil {
		return g, nil
	}
	e := f.element(id)
	prefix := flow.Inside(f.prefix+id, k, "")
	var g *frame
	switch e := e.(type) {
	case *Scatter: // there may be very many: none is kept
		l := f.last.list
		if l == nil || f.last.of != id || f.last.piece != k/piece {
			v, err := f.s.read(f.prefix+id, keyItems+strconv.Itoa(k/piece))
			if err != nil {
				return nil, err
			}
			l, _ = v.(*List)
			f.last = portion{id, k / piece, l}
		}
		if l == nil || k%piece >= len(l.Items) {
			return nil, fmt.Errorf("task %s has published no item %d", f.prefix+id, k)
		}
		var err error
		g = f.s.newFrame(f.plan, e, f, prefix)
		g.item, err = f.v.Rules.Convert(l.Items[k%piece], e.Item)
		return g, err
	case *Conditional:
		g = f.s.newFrame(f.plan, e, f, prefix)
	case *Call:
		v, err := f.s.read(f.prefix+id, keyInputs)
		if err != nil {
			return nil, err
		}
		rec, ok := v.(*Record)
		if !ok {
			return nil, fmt.Errorf("task %s has published %s as inputs", f.prefix+id, kindOf(v))
		}
		given := map[string]Value{}
		for _, in := range Inputs(e.Workflow) {
			if v, ok := rec.Find(in.Name); ok {
				if given[in.Name], err = f.v.Rules.Convert(v, in.Decl.Type); err != nil {
					return nil, err
				}
			}
		}
		for i, name := range rec.Names {
			if _, known := given[name]; !known && e.Workflow.overrides(name) {
				given[name] = rec.Values[i]
			}
		}
		g = f.s.workflow(f.s.program.plans[e.Workflow.Source.Path], prefix, given)
	default:
		return nil, fmt.Errorf("task %s unfolds into nothing", f.prefix+id)
	}
	f.inner[id] = g
	return g, nil
}

// arguments evaluates what a call is given, by the names of [Inputs] of what
// is called; what is left out has its default.
func (f *frame) arguments(c *Call) (map[string]Value, error) {
	out := map[string]Value{}
	begins := c.Name().Text + "."
	for name, v := range f.top().given {
		if rest, ok := strings.CutPrefix(name, begins); ok {
			out[rest] = v
		}
	}
	for _, in := range c.Inputs {
		v, err := f.v.Expr(in.Expr)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(c.Takes(), func(d *Decl) bool { return d.Name.Text == in.Name.Text })
		if i < 0 {
			continue
		}
		d := c.Takes()[i]
		if v == nil && d.Expr != nil && !d.Type.Optional {
			continue // None stands for the default, unless the type has it
		}
		if out[in.Name.Text], err = f.v.Rules.Convert(v, d.Type); err != nil {
			return nil, &Fault{in.Expr.At(), fmt.Errorf("input %s of %s: %w", in.Name.Text, c.Name().Text, err)}
		}
	}
	return out, nil
}

// gather returns what a section, all instances of which have ended, gives to
// those outside of it.
func (f *frame) gather(section Element, n int, below map[flow.TaskID]json.RawMessage) (Value, error) {
	id := f.ids[section]
	used := f.plan.out[section]
	lists := make([]*List, len(used))
	for i := range lists {
		lists[i] = &List{Items: make([]Value, 0, n)}
	}
	// The pieces of a scatter are read once, in their order.
	var items *List
	for k := range n {
		g := f.s.newFrame(f.plan, section, f, flow.Inside(f.prefix+id, k, ""))
		if s, ok := section.(*Scatter); ok {
			if k%piece == 0 {
				v, err := f.s.read(f.prefix+id, keyItems+strconv.Itoa(k/piece))
				if err != nil {
					return nil, err
				}
				items, _ = v.(*List)
			}
			var err error
			if items == nil || k%piece >= len(items.Items) {
				return nil, fmt.Errorf("task %s has published no item %d", f.prefix+id, k)
			}
			if g.item, err = f.v.Rules.Convert(items.Items[k%piece], s.Item); err != nil {
				return nil, err
			}
		}
		for e, local := range g.ids {
			raw, ok := below[g.prefix+local]
			if !ok {
				continue
			}
			v, err := ParseJSON(raw)
			if err != nil {
				return nil, err
			}
			if c, ok := e.(*Call); ok {
				if v, err = f.v.Rules.Convert(v, c.gives()); err != nil {
					return nil, err
				}
			}
			g.known[e] = v
		}
		for i, u := range used {
			v, err := g.find(u.To)
			if err != nil {
				return nil, err
			}
			lists[i].Items = append(lists[i].Items, v)
		}
	}
	out := &Record{}
	for i, u := range used {
		v := Value(lists[i])
		if _, ok := section.(*Conditional); ok {
			v = nil
			if n > 0 {
				v = lists[i].Items[0]
			}
		}
		if s, ok := u.To.(*Call); ok {
			v = transposed(v, s.gives())
		}
		out.Names, out.Values = append(out.Names, f.plan.name(u.To)), append(out.Values, v)
	}
	return out, nil
}

// transposed turns an array of a call's outputs into outputs that are arrays,
// and None into outputs that are None.
func transposed(v Value, t Type) Value {
	out := &Record{}
	for _, m := range t.Struct.Members {
		out.Names = append(out.Names, m.Name)
		l, ok := v.(*List)
		switch {
		case ok:
			of := &List{Items: make([]Value, len(l.Items))}
			for i, x := range l.Items {
				if rec, ok := x.(*Record); ok {
					of.Items[i], _ = rec.Find(m.Name)
				}
			}
			out.Values = append(out.Values, of)
		case v == nil:
			out.Values = append(out.Values, nil)
		default:
			x, _ := v.(*Record).Find(m.Name)
			out.Values = append(out.Values, x)
		}
	}
	return out
}

// outputs evaluates the outputs of the workflow whose frame this is, and the
// declarations that nobody has asked for: one that fails fails the workflow.
func (f *frame) outputs() (*Record, error) {
	out := &Record{}
	for _, d := range f.plan.idle {
		if _, err := f.find(d); err != nil {
			return nil, err
		}
	}
	for _, d := range f.plan.doc.Workflow.Outputs {
		v, err := f.scope.Decl(d)
		if err != nil {
			return nil, err
		}
		out.Names, out.Values = append(out.Names, d.Name.Text), append(out.Values, v)
	}
	return out, nil
}

// record returns values by name as one value, sorted.
func recordOf(values map[string]Value) *Record {
	out := &Record{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out.Names, out.Values = append(out.Names, name), append(out.Values, values[name])
	}
	return out
}
