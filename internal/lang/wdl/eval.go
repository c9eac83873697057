package wdl

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Env gives names their values.
type Env interface {
	// Value returns what a name stands for. Of a call it is a *[Record] of the
	// call's outputs as they are seen from where the name is written.
	Value(r *Ref) (Value, error)
}

// Files is what expressions know of files. Names are those of [Path].
type Files interface {
	// Read returns what is in a file; at most limit bytes, or an error.
	Read(name string, limit int64) ([]byte, error)
	// Size returns the bytes of a file, or of all files in a directory.
	Size(name string) (int64, error)
	// Write makes a file that nothing else has, and returns its name.
	Write(data []byte) (string, error)
	// Glob returns the files that a pattern names, sorted; what it is relative
	// to is where the task's command ran.
	Glob(pattern string) ([]string, error)
	// Output returns the name of the file with what the command wrote to its
	// standard output, or error output.
	Output(stderr bool) (string, error)
}

// Bounds on what one evaluation makes, so that no document can use up the
// memory of whoever evaluates it.
const (
	longest  = 64 << 20   // bytes of a String
	maxItems = 2_000_000  // items that a function makes
	maxRead  = 256 << 20  // bytes of a file that is read
	maxSteps = 10_000_000 // expressions, and items that functions made of them
)

// An Evaluator evaluates expressions of documents that [Load] has checked. It
// is for one goroutine.
type Evaluator struct {
	Rules Rules
	Env   Env
	Files Files

	steps int
}

// A Fault is what is wrong with an expression, with its values.
type Fault struct {
	At  Span
	Err error
}

func (f *Fault) Error() string {
	file := ""
	if f.At.Source != nil {
		file = f.At.Source.Path
	}
	return fmt.Sprintf("%s:%d:%d: %v", file, f.At.Line, f.At.Col, f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

// at says where an error is, unless it is known.
func at(e Expr, err error) error {
	if _, known := errors.AsType[*Fault](err); known || err == nil {
		return err
	}
	return &Fault{e.At(), err}
}

func fault(e Expr, format string, args ...any) error {
	return &Fault{e.At(), fmt.Errorf(format, args...)}
}

// As evaluates an expression to a value of a type. Errors are *[Fault]s, also
// those of Env and Files, which they wrap.
func (v *Evaluator) As(e Expr, t Type) (Value, error) {
	x, err := v.Expr(e)
	if err != nil {
		return nil, err
	}
	y, err := v.Rules.Convert(x, t)
	return y, at(e, err)
}

// Expr evaluates an expression to a value of the expression's own type.
func (v *Evaluator) Expr(e Expr) (Value, error) {
	if v.steps++; v.steps > maxSteps {
		return nil, fault(e, "the evaluation takes more than %d steps", maxSteps)
	}
	x, err := v.expr(e)
	return x, at(e, err)
}

func (v *Evaluator) expr(e Expr) (Value, error) {
	switch e := e.(type) {
	case *NoneLit:
		return nil, nil
	case *BoolLit:
		return e.Value, nil
	case *IntLit:
		return e.Value, nil
	case *FloatLit:
		return e.Value, nil
	case *StringLit:
		return v.Parts(e.Parts)
	case *ArrayLit:
		return v.array(e)
	case *PairLit:
		left, err := v.Expr(e.Left)
		if err != nil {
			return nil, err
		}
		right, err := v.Expr(e.Right)
		return &Couple{left, right}, err
	case *MapLit:
		return v.dict(e)
	case *ObjectLit:
		return v.object(e)
	case *Ref:
		return v.Env.Value(e)
	case *Member:
		return v.member(e)
	case *Index:
		return v.index(e)
	case *Apply:
		return v.apply(e)
	case *Unary:
		return v.unary(e)
	case *Binary:
		return v.binary(e)
	case *If:
		c, err := v.As(e.Cond, Of(Boolean))
		if err != nil {
			return nil, err
		}
		branch := e.Else
		if c == true {
			branch = e.Then
		}
		return v.As(branch, e.Type())
	}
	return nil, fmt.Errorf("no expression: %T", e)
}

// An absence is an error that something is None.
type absence struct{ error }

// fromNone says that an error comes from something that is None.
func fromNone(err error) bool {
	if _, ok := errors.AsType[absence](err); ok {
		return true
	}
	m, ok := errors.AsType[*Mismatch](err)
	return ok && m.Found == foundNone
}

// Parts evaluates a text with placeholders.
func (v *Evaluator) Parts(parts []Part) (string, error) {
	var b strings.Builder
	for _, p := range parts {
		s := p.Text
		if p.Hole != nil {
			var err error
			if s, err = v.hole(p.Hole); err != nil {
				return "", err
			}
		}
		if b.Len()+len(s) > longest {
			return "", fmt.Errorf("a text of more than %d bytes", longest)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (v *Evaluator) hole(h *Placeholder) (string, error) {
	x, err := v.Expr(h.Expr)
	if err != nil && v.Rules.Version >= V11 && fromNone(err) {
		x, err = nil, nil // the specification: nothing is put in its place
	}
	if err != nil {
		return "", err
	}
	switch x := x.(type) {
	case nil:
		if h.Default != nil {
			return *h.Default, nil
		}
	case bool:
		if h.True != nil && x {
			return *h.True, nil
		} else if h.False != nil && !x {
			return *h.False, nil
		}
	case *List:
		if h.Sep == nil {
			break
		}
		texts, err := texts(x)
		return strings.Join(texts, *h.Sep), at(h.Expr, err)
	}
	s, err := Text(x)
	return s, at(h.Expr, err)
}

// texts returns the items of an array as a text shows them.
func texts(l *List) ([]string, error) {
	out := make([]string, len(l.Items))
	size := 0
	for i, x := range l.Items {
		s, err := Text(x)
		if err != nil {
			return nil, err
		}
		if size += len(s) + 1; size > longest {
			return nil, fmt.Errorf("a text of more than %d bytes", longest)
		}
		out[i] = s
	}
	return out, nil
}

func (v *Evaluator) array(e *ArrayLit) (Value, error) {
	item := e.Type().Item()
	out := &List{Items: make([]Value, len(e.Items)), item: &item}
	for i, x := range e.Items {
		var err error
		if out.Items[i], err = v.As(x, item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (v *Evaluator) dict(e *MapLit) (Value, error) {
	ks, vs := make([]Value, len(e.Entries)), make([]Value, len(e.Entries))
	seen := map[Value]bool{}
	for i, entry := range e.Entries {
		var err error
		if ks[i], err = v.As(entry.Key, e.Type().Key()); err != nil {
			return nil, err
		}
		if seen[ks[i]] {
			return nil, fault(entry.Key, "the key is there already")
		}
		seen[ks[i]] = true
		if vs[i], err = v.As(entry.Value, e.Type().Value()); err != nil {
			return nil, err
		}
	}
	return NewDict(ks, vs), nil
}

func (v *Evaluator) object(e *ObjectLit) (Value, error) {
	out := &Record{}
	for _, m := range e.Members {
		x, err := v.Expr(m.Value)
		if err != nil {
			return nil, err
		}
		if t := e.Type(); t.Kind == Struct {
			if want, ok := t.Struct.Field(m.Key.Text); ok {
				if x, err = v.Rules.Convert(x, want); err != nil {
					return nil, at(m.Value, err)
				}
			}
		}
		out.Names, out.Values = append(out.Names, m.Key.Text), append(out.Values, x)
	}
	if e.Type().Kind == Struct {
		return v.Rules.Convert(out, e.Type())
	}
	return out, nil
}

func (v *Evaluator) member(e *Member) (Value, error) {
	x, err := v.Expr(e.X)
	if err != nil {
		return nil, err
	}
	name := e.Name.Text
	switch x := x.(type) {
	case *Record:
		if m, ok := x.Find(name); ok {
			return m, nil
		}
		return nil, &Fault{e.Name.Span, fmt.Errorf("there is no member %q; there are %s", name, some(x.Names))}
	case *Couple:
		if name == "left" {
			return x.Left, nil
		}
		return x.Right, nil
	case *Dict: // of what is read from JSON
		if m, ok := x.Find(name); ok {
			return m, nil
		}
	}
	return nil, &Fault{e.Name.Span, noneOr(x, fmt.Errorf("%s has no member %q", kindOf(x), name))}
}

// noneOr returns an error about a value, as an [absence] if the value is None.
func noneOr(x Value, err error) error {
	if x == nil {
		return absence{err}
	}
	return err
}

// some names a few.
func some(names []string) string {
	if len(names) > 10 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:10], ", "), len(names)-10)
	}
	return strings.Join(names, ", ")
}

func (v *Evaluator) index(e *Index) (Value, error) {
	x, err := v.Expr(e.X)
	if err != nil {
		return nil, err
	}
	switch x := x.(type) {
	case *List:
		i, err := v.As(e.I, Of(Int))
		if err != nil {
			return nil, err
		}
		n := i.(int64)
		if n < 0 || n >= int64(len(x.Items)) {
			return nil, fault(e.I, "index %d of an array of %d items", n, len(x.Items))
		}
		return x.Items[n], nil
	case *Dict:
		key := e.X.Type().Key()
		k, err := v.As(e.I, key)
		if err != nil {
			return nil, err
		}
		if m, ok := x.Find(k); ok {
			return m, nil
		}
		s, _ := text(k)
		return nil, fault(e.I, "the map has no key %q", s)
	case *Record:
		k, err := v.As(e.I, Of(String))
		if err != nil {
			return nil, err
		}
		if m, ok := x.Find(k.(string)); ok {
			return m, nil
		}
		return nil, fault(e.I, "there is no member %q; there are %s", k, some(x.Names))
	}
	return nil, &Fault{e.X.At(), noneOr(x, fmt.Errorf("%s has no items", kindOf(x)))}
}

func (v *Evaluator) unary(e *Unary) (Value, error) {
	if e.Op == "!" {
		b, err := v.As(e.X, Of(Boolean))
		if err != nil {
			return nil, err
		}
		return b == false, nil
	}
	x, err := v.Expr(e.X)
	if err != nil || e.Op == "+" {
		return x, err
	}
	switch x := x.(type) {
	case int64:
		if x == math.MinInt64 {
			return nil, errOverflow
		}
		return -x, nil
	case float64:
		return -x, nil
	}
	return nil, fault(e.X, "expected a number, found %s", kindOf(x))
}

var errOverflow = errors.New("the result does not fit an Int, which has 64 bits")

func (v *Evaluator) binary(e *Binary) (Value, error) {
	if e.Op == "&&" || e.Op == "||" {
		x, err := v.As(e.X, Of(Boolean))
		if err != nil || (x == true) == (e.Op == "||") {
			return x, err
		}
		return v.As(e.Y, Of(Boolean))
	}
	x, err := v.Expr(e.X)
	if err != nil {
		return nil, err
	}
	y, err := v.Expr(e.Y)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case "==":
		return equal(x, y), nil
	case "!=":
		return !equal(x, y), nil
	case "<", "<=", ">", ">=":
		c, err := compare(x, y)
		switch e.Op {
		case "<":
			return c < 0, err
		case "<=":
			return c <= 0, err
		case ">":
			return c > 0, err
		}
		return c >= 0, err
	}
	if e.Op == "+" && e.Type().Kind == String {
		if x == nil || y == nil {
			return nil, nil // an optional in a placeholder
		}
		return concat(x, y)
	}
	return arithmetic(e.Op, x, y)
}

func compare(x, y Value) (int, error) {
	switch a := x.(type) {
	case int64:
		switch b := y.(type) {
		case int64:
			return cmp.Compare(a, b), nil
		case float64:
			return cmp.Compare(float64(a), b), nil
		}
	case float64:
		switch b := y.(type) {
		case int64:
			return cmp.Compare(a, float64(b)), nil
		case float64:
			return cmp.Compare(a, b), nil
		}
	case bool:
		if b, ok := y.(bool); ok {
			return cmp.Compare(bit(a), bit(b)), nil
		}
	case string, Path:
		if y, is := text(y); is {
			x, _ := text(x)
			return strings.Compare(x, y), nil
		}
	}
	return 0, fmt.Errorf("%s and %s have no order", kindOf(x), kindOf(y))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func concat(x, y Value) (Value, error) {
	a, ok := text(x)
	b, also := text(y)
	switch {
	case !ok || !also:
		return nil, fmt.Errorf("+ joins texts and numbers; found %s and %s", kindOf(x), kindOf(y))
	case len(a)+len(b) > longest:
		return nil, fmt.Errorf("a text of more than %d bytes", longest)
	}
	return a + b, nil
}

func arithmetic(op string, x, y Value) (Value, error) {
	a, ok := x.(int64)
	b, also := y.(int64)
	if ok && also {
		return integer(op, a, b)
	}
	f, ok := float(x)
	g, also := float(y)
	if !ok || !also {
		if op == "+" { // of what was read from JSON
			return concat(x, y)
		}
		err := fmt.Errorf("%s needs two numbers; found %s and %s", op, kindOf(x), kindOf(y))
		return nil, noneOr(x, noneOr(y, err))
	}
	switch op {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "**":
		return math.Pow(f, g), nil
	}
	if g == 0 {
		return nil, errZero
	}
	if op == "/" {
		return f / g, nil
	}
	return f - g*math.Floor(f/g), nil
}

var errZero = errors.New("division by zero")

func float(v Value) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// integer is arithmetic of Ints. A quotient is rounded down, and a remainder
// has the sign of the divisor, as in the engine that HealthOmics behaves like.
func integer(op string, a, b int64) (Value, error) {
	switch op {
	case "+":
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
		return nil, errOverflow
	case "-":
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
		return nil, errOverflow
	case "*":
		return product(a, b)
	case "**":
		return power(a, b)
	}
	switch {
	case b == 0:
		return nil, errZero
	case b == -1: // the one quotient that may not fit
		if op == "%" {
			return int64(0), nil
		}
		return integer("-", 0, a)
	}
	q, r := a/b, a%b
	if r != 0 && (r < 0) != (b < 0) {
		q, r = q-1, r+b
	}
	if op == "/" {
		return q, nil
	}
	return r, nil
}

func product(a, b int64) (Value, error) {
	if a == 0 || b == 0 {
		return int64(0), nil
	}
	c := a * b
	if c/b != a || a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
		return nil, errOverflow
	}
	return c, nil
}

func power(a, b int64) (Value, error) {
	switch {
	case b < 0:
		return nil, fmt.Errorf("an Int to the power of %d, which is negative: write a Float", b)
	case a == 0 || a == 1 || a == -1:
		if b == 0 || a == -1 && b%2 == 0 {
			return int64(1), nil
		}
		return a, nil
	}
	out := Value(int64(1))
	for range b { // at most 63 times until it does not fit
		var err error
		if out, err = product(out.(int64), a); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A Scope is an environment of declarations, which are evaluated when they are
// first asked for.
type Scope struct {
	// Outer gives names that the scope does not declare their values: calls,
	// the variables of scatters, and declarations of what is around it.
	Outer Env
	// Declares are the declarations of the scope; those in Given have a value.
	Declares map[*Decl]bool
	Given    map[*Decl]Value

	v     *Evaluator
	known map[*Decl]Value
	// settled says what becomes of a value before anybody sees it; nil: nothing.
	settled func(*Decl, Value) (Value, error)
}

// NewScope returns a scope of declarations, in which the evaluator finds names
// from then on.
func NewScope(v *Evaluator, outer Env, given map[*Decl]Value, decls ...[]*Decl) *Scope {
	s := &Scope{Outer: outer, Declares: map[*Decl]bool{}, Given: given, v: v, known: map[*Decl]Value{}}
	for _, list := range decls {
		for _, d := range list {
			s.Declares[d] = true
		}
	}
	v.Env = s
	return s
}

// Value is that of [Env].
func (s *Scope) Value(r *Ref) (Value, error) {
	if d, ok := r.To.(*Decl); ok && s.Declares[d] {
		return s.Decl(d)
	}
	if s.Outer == nil {
		return nil, fmt.Errorf("there is no %q here", r.Name)
	}
	return s.Outer.Value(r)
}

// Decl returns the value of a declaration of the scope. One that is neither
// given nor has an expression must be optional.
func (s *Scope) Decl(d *Decl) (Value, error) {
	if x, ok := s.known[d]; ok {
		return x, nil
	}
	x, given := s.Given[d]
	var err error
	switch {
	case given && (x != nil || d.Expr == nil || d.Type.Optional):
		if x, err = s.v.Rules.Convert(x, d.Type); err != nil {
			err = &Fault{d.Name.Span, fmt.Errorf("%s: %w", d.Name.Text, err)}
		}
	case d.Expr != nil:
		x, err = s.v.As(d.Expr, d.Type)
	case !d.Type.Optional:
		err = &Fault{d.Name.Span, fmt.Errorf("%s %s is not given", d.Type, d.Name.Text)}
	}
	if err == nil && s.settled != nil {
		x, err = s.settled(d, x)
	}
	if err != nil {
		return nil, err
	}
	s.known[d] = x
	return x, nil
}

// quote returns a text in quotes, cut if it is long.
func quote(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return strconv.Quote(s)
}
