package wdl

// A Source is the text of one document.
type Source struct {
	Path string // relative to the root that the document was loaded from
	Text string
}

// A Span is where something is written: from Line and Col up to, and not
// including, EndLine and EndCol. All count from 1, columns in characters.
type Span struct {
	Source                     *Source
	Line, Col, EndLine, EndCol int32
}

// At returns the span itself, so that whatever embeds one can say where it is.
func (s Span) At() Span { return s }

// A Version is a version of the language. Later ones are greater.
type Version int

// The versions.
const (
	Draft2 Version = iota // a document without a version line
	V10
	V11
	Development // also what a document of version 1.2 is read as
)

func (v Version) String() string {
	return [...]string{"draft-2", "1.0", "1.1", "development"}[v]
}

// A Document is one file. [Load] returns one whose imports are documents too,
// and whose names and types are resolved; nothing changes it then.
type Document struct {
	Span
	Version  Version
	Imports  []*Import
	Structs  []*StructDef
	Tasks    []*Task
	Workflow *Workflow // nil: the document has none
	// Types are the structs that may be named in the document, its own and
	// imported ones, by the name that they have here.
	Types map[string]*StructType

	root string // see [Options]
}

// All returns the document and all that it imports, each once and after what
// it imports itself.
func (d *Document) All() []*Document {
	var out []*Document
	seen := map[*Document]bool{}
	var visit func(d *Document)
	visit = func(d *Document) {
		if d == nil || seen[d] {
			return
		}
		seen[d] = true
		for _, im := range d.Imports {
			visit(im.Doc)
		}
		out = append(out, d)
	}
	visit(d)
	return out
}

// An Ident is a name and where it is written.
type Ident struct {
	Span
	Text string
}

// An Import names another document.
type Import struct {
	Span
	URI     string
	URIAt   Span
	As      Ident // the namespace; from the file's name if the text has none
	Aliases []Alias
	Doc     *Document
}

// An Alias gives an imported struct another name.
type Alias struct{ From, To Ident }

// A StructDef is the definition of a struct.
type StructDef struct {
	Span
	Name    Ident
	Members []*Decl // none has an expression
	Meta    []Attr
	// ParameterMeta describes members.
	ParameterMeta []Attr
	Type          *StructType
}

// A Workflow is the workflow of a document.
type Workflow struct {
	Span
	Name       Ident
	HasInputs  bool // there is an input section
	HasOutputs bool // there is an output section
	Inputs     []*Decl
	Body       []Element
	Outputs    []*Decl
	Meta       []Attr
	// ParameterMeta describes inputs and outputs.
	ParameterMeta []Attr
	Hints         []Attr
	// Exposed are what the output section of a draft-2 document names without
	// declaring it.
	Exposed []*Exposed
}

// An Exposed output is a line "call.out", "call.*" or "declaration" of an
// output section of draft-2.
type Exposed struct {
	Span
	Name []Ident // Text is "*" where all outputs are meant
}

// A Task is the definition of a task.
type Task struct {
	Span
	Name      Ident
	HasInputs bool // there is an input section
	Inputs    []*Decl
	Decls     []*Decl // the others, which inputs cannot replace
	Command   *Command
	Outputs   []*Decl
	// Runtime, Requirements and Hints are the sections of those names.
	Runtime, Requirements, Hints []Attr
	Meta                         []Attr
	// ParameterMeta describes inputs and outputs.
	ParameterMeta []Attr
}

// An Attr is one "key: value" of a section. In meta and parameter_meta the
// value consists of literals alone; a null there is a [NoneLit].
type Attr struct {
	Key   Ident
	Value Expr
}

// An Element is a part of a workflow's body: a [Decl], [Call], [Scatter] or
// [Conditional].
type Element interface {
	At() Span
	element()
}

// A Decl declares a name.
type Decl struct {
	Span
	Env    bool // the value is in the environment of the command too
	Type   Type // structs are resolved by [Load]
	TypeAt Span
	Name   Ident
	Expr   Expr // nil: an input without a default, or a member of a struct
	// exposes says that it stands for a line of [Exposed].
	exposes bool
}

// A Call runs a task or a workflow.
type Call struct {
	Span
	Callee []Ident // namespace, if any, and name
	Alias  Ident   // Text is empty without one
	After  []Ident
	Inputs []*CallInput
	// What is called, set by [Load]: one of the two. Workflow is the document
	// whose workflow is meant.
	Task     *Task
	Workflow *Document
	// Doc is the document that has the task; set with Task.
	Doc *Document
}

// Name returns the name under which the call's outputs are known.
func (c *Call) Name() Ident {
	if c.Alias.Text != "" {
		return c.Alias
	}
	return c.Callee[len(c.Callee)-1]
}

// A CallInput gives a call one of its inputs.
type CallInput struct {
	Name  Ident
	Expr  Expr // the name itself where it alone is written
	Short bool // the name alone is written
}

// A Scatter evaluates its body for each item of an array.
type Scatter struct {
	Span
	Var   Ident
	Items Expr
	Body  []Element
	Item  Type // of Var; set by [Load]
}

// A Conditional evaluates its body if a condition holds.
type Conditional struct {
	Span
	Cond Expr
	Body []Element
}

func (*Decl) element()        {}
func (*Call) element()        {}
func (*Scatter) element()     {}
func (*Conditional) element() {}

// A Command is the text of a task's command, with the indentation that its
// lines share taken off and without the line that the opening stands on.
type Command struct {
	Span
	Parts []Part
	// Braces says that it is written in { }, and Mixed that some of its lines
	// begin with spaces and others with tabs.
	Braces, Mixed bool
}

// A Part is a piece of text, or a placeholder.
type Part struct {
	Text string
	Hole *Placeholder // nil: the part is Text
}

// A Placeholder is an expression within a text. The options are nil where
// they are not written.
type Placeholder struct {
	Span
	Sep, True, False, Default *string
	Expr                      Expr
}

// An Expr is an expression: one of the types below.
type Expr interface {
	At() Span
	// Type returns what [Load] found the expression to be.
	Type() Type
	setType(Type)
}

// node is what all expressions have.
type node struct {
	Span
	typ Type
}

func (n *node) Type() Type     { return n.typ }
func (n *node) setType(t Type) { n.typ = t }

// The expressions.
type (
	// A NoneLit is None.
	NoneLit struct{ node }
	// A BoolLit is true or false.
	BoolLit struct {
		node
		Value bool
	}
	// An IntLit is a whole number, with its sign.
	IntLit struct {
		node
		Value int64
	}
	// A FloatLit is a number with a point or an exponent, with its sign.
	FloatLit struct {
		node
		Value float64
	}
	// A StringLit is a text in quotes or, of several lines, in <<< >>>.
	// Escapes are resolved.
	StringLit struct {
		node
		Parts []Part
	}
	// An ArrayLit is [a, b].
	ArrayLit struct {
		node
		Items []Expr
	}
	// A PairLit is (a, b).
	PairLit struct {
		node
		Left, Right Expr
	}
	// A MapLit is {k: v}.
	MapLit struct {
		node
		Entries []Entry
	}
	// An ObjectLit is object {k: v} or, with the name of a struct, Name {k: v}.
	// In hints, the name is that of the section: "hints", "input", "output".
	ObjectLit struct {
		node
		Name    Ident // Text is "object" or the name of a struct
		Members []Attr
	}
	// A Ref is a name that stands for a value.
	Ref struct {
		node
		Name string
		// To is what the name means, set by [Load]: a *Decl, a *Call (its
		// outputs) or a *Scatter (its variable).
		To any
	}
	// A Member is x.name: a member of a struct or object, an output of a call,
	// or left or right of a pair.
	Member struct {
		node
		X    Expr
		Name Ident
	}
	// An Index is x[i], of an array or a map.
	Index struct {
		node
		X, I Expr
	}
	// An Apply is f(a, b).
	Apply struct {
		node
		Name Ident
		Args []Expr
		// Use is how the function is used, set by [Load].
		Use Use
	}
	// A Unary is !x, -x or +x.
	Unary struct {
		node
		Op string
		X  Expr
	}
	// A Binary is x op y; Op is one of || && == != < <= > >= + - * / % **.
	Binary struct {
		node
		Op   string
		X, Y Expr
	}
	// An If is if c then a else b.
	If struct {
		node
		Cond, Then, Else Expr
	}
)

// An Entry is one key and value of a [MapLit].
type Entry struct{ Key, Value Expr }
