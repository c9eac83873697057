package wdl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// keyForm is part of every key. It changes with what goes into one, and with
// what the language makes of the same.
const keyForm = "fairlead wdl 1"

// cacheKey names what a call makes. Calls with equal keys have the same task,
// but for sections that do not bear upon outputs, the same inputs, files of
// which are told by their own names and what is in them, the same image and
// ask for as much.
func (w *work) cacheKey(ctx context.Context, t *call) (string, error) {
	image := "programs of the machine"
	if w.Images {
		image = t.spec.Image
		if w.Identify != nil {
			var err error
			if image, err = w.Identify(ctx, t.spec); err != nil {
				return "", fmt.Errorf("find out what the image is: %w", err)
			}
		}
	} else if len(t.want.Images) > 0 {
		image += " for " + t.want.Images[0]
	}
	var k keyText
	k.add(keyForm, t.doc.Version.String(), strconv.FormatBool(w.s.lenient), t.task.Name.Text, image, t.want.GPU)
	k.number(t.want.CPUs)
	k.add(strconv.FormatInt(t.want.Memory, 10))
	k.number(t.want.GPUs)
	named := map[string]bool{}
	for _, d := range slices.Concat(t.task.Inputs, t.task.Decls) {
		v, given := t.given[d]
		if !given {
			v = t.scope.known[d]
		}
		text, err := w.told(ctx, t, v, given, named)
		if err != nil {
			return "", fmt.Errorf("%s: %w", d.Name.Text, err)
		}
		k.decl("declaration", d)
		k.add(strconv.FormatBool(given))
		if !given {
			k.expr(d.Expr)
		}
		// What follows from others may have names in it that are this run's. The
		// others are in the key.
		if given || !t.files.named(text) {
			namesIn([]byte(text), true, named)
			k.add(text)
		}
	}
	// The same name may stand for something else in another run.
	for _, name := range slices.Sorted(maps.Keys(named)) {
		is, err := w.stands(ctx, t, name, map[string]bool{})
		if err != nil {
			return "", err
		}
		k.add("named", name, is)
	}
	k.parts(t.task.Command.Parts)
	if t.task.knowsItself() {
		info, err := w.info(t, nil)
		if err != nil {
			return "", err
		}
		text, err := AppendJSON(nil, info)
		if err != nil {
			return "", err
		}
		k.add(string(text))
	}
	for _, d := range t.task.Outputs {
		k.decl("output", d)
		k.expr(d.Expr)
	}
	sum := sha256.Sum256(k)
	return hex.EncodeToString(sum[:]), nil
}

// told returns a value as a text, with what is in files in place of where they
// are. Of what was evaluated for the task, files of the run are left open. Places
// that files name are added to named.
func (w *work) told(ctx context.Context, t *call, v Value, given bool, named map[string]bool) (string, error) {
	v, err := Paths(v, func(p Path) (Value, error) {
		_, ours := t.files.place(p.Name)
		if !given && (ours || !strings.Contains(p.Name, "://") && !filepath.IsAbs(p.Name)) {
			return filepath.Base(p.Name), nil
		}
		var err error
		if p.Name, err = t.files.find(ctx, p.Name); err != nil {
			return nil, err
		}
		is, names, err := w.s.digests.path(ctx, p)
		for _, name := range names {
			named[name] = true
		}
		return is, err
	})
	if err != nil {
		return "", err
	}
	text, err := AppendJSON(nil, v)
	return string(text), err
}

// stands returns what a place in the run's directory stands for that a text
// names, as [namesIn] has it: what a call makes for the call's key, where that is
// known, and else all that is there, and what is named there in turn.
func (w *work) stands(ctx context.Context, t *call, name string, seen map[string]bool) (string, error) {
	if seen[name] {
		return "", nil
	}
	seen[name] = true
	kind, of, _ := strings.Cut(name, "/")
	if kind == "work" || kind == "calls" {
		if of == filepath.Base(t.files.work) {
			return "this call", nil
		}
		if d, err := decided(filepath.Join(t.files.dir, "calls", of)); err != nil {
			return "", err
		} else if d.Key != "" {
			return "call " + d.Key, nil
		}
	}
	at := filepath.Join(t.files.dir, name)
	if _, err := os.Lstat(at); err != nil {
		return "nothing", nil
	}
	is, names, err := w.s.digests.path(ctx, Path{Name: at})
	if err != nil {
		return "", fmt.Errorf("%s/%s, which is named: %w", RunDir, name, err)
	}
	slices.Sort(names)
	for _, more := range slices.Compact(names) {
		inner, err := w.stands(ctx, t, more, seen)
		if err != nil {
			return "", err
		}
		is += "\n" + more + " " + inner
	}
	sum := sha256.Sum256([]byte(is))
	return hex.EncodeToString(sum[:]), nil
}

// A keyText is what a key is made of: words with their lengths, so that no two
// lists of words are the same text.
type keyText []byte

func (k *keyText) add(words ...string) {
	for _, s := range words {
		*k = strconv.AppendInt(*k, int64(len(s)), 10)
		*k = append(append(*k, ':'), s...)
	}
}

func (k *keyText) number(n int) { k.add(strconv.Itoa(n)) }

func (k *keyText) decl(what string, d *Decl) {
	k.add(what, d.Name.Text, strconv.FormatBool(d.Env))
	k.typ(d.Type)
}

// typ adds a type with the members of its structs, whose names do not matter.
func (k *keyText) typ(t Type) {
	k.number(int(t.Kind))
	k.add(strconv.FormatBool(t.Optional), strconv.FormatBool(t.Nonempty))
	switch t.Kind {
	case Array:
		k.typ(t.Item())
	case Map, Pair:
		k.typ(t.of[0])
		k.typ(t.of[1])
	case Struct:
		k.number(len(t.Struct.Members))
		for _, f := range t.Struct.Members {
			k.add(f.Name)
			k.typ(f.Type)
		}
	}
}

func (k *keyText) parts(parts []Part) {
	k.number(len(parts))
	for _, p := range parts {
		if p.Hole == nil {
			k.add("text", p.Text)
			continue
		}
		k.add("hole")
		for _, option := range []*string{p.Hole.Sep, p.Hole.True, p.Hole.False, p.Hole.Default} {
			if option == nil {
				k.add("none")
				continue
			}
			k.add("some", *option)
		}
		k.expr(p.Hole.Expr)
	}
}

// expr adds an expression as it is understood: spaces, comments and brackets
// that change nothing are not in it.
func (k *keyText) expr(e Expr) {
	k.add(fmt.Sprintf("%T", e)) // which tells the types below apart
	switch e := e.(type) {
	case nil, *NoneLit:
	case *BoolLit:
		k.add(strconv.FormatBool(e.Value))
	case *IntLit:
		k.add(strconv.FormatInt(e.Value, 10))
	case *FloatLit:
		k.add(strconv.FormatFloat(e.Value, 'g', -1, 64))
	case *StringLit:
		k.parts(e.Parts)
	case *ArrayLit:
		k.exprs(e.Items...)
	case *PairLit:
		k.exprs(e.Left, e.Right)
	case *MapLit:
		k.number(len(e.Entries))
		for _, entry := range e.Entries {
			k.exprs(entry.Key, entry.Value)
		}
	case *ObjectLit:
		k.typ(e.Type())
		k.number(len(e.Members))
		for _, m := range e.Members {
			k.add(m.Key.Text)
			k.expr(m.Value)
		}
	case *Ref:
		k.add(e.Name)
	case *Member:
		k.add(e.Name.Text)
		k.expr(e.X)
	case *Index:
		k.exprs(e.X, e.I)
	case *Apply:
		k.add(e.Name.Text)
		k.exprs(e.Args...)
	case *Unary:
		k.add(e.Op)
		k.expr(e.X)
	case *Binary:
		k.add(e.Op)
		k.exprs(e.X, e.Y)
	case *If:
		k.exprs(e.Cond, e.Then, e.Else)
	default:
		panic(fmt.Sprintf("an expression of the type %T", e))
	}
}

func (k *keyText) exprs(list ...Expr) {
	k.number(len(list))
	for _, e := range list {
		k.expr(e)
	}
}
