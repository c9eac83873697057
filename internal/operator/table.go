package operator

import (
	"embed"
	stdjson "encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"fairlead/internal/near"
)

//go:embed data/*.json
var data embed.FS

// A Table holds what is known of every operator. It is immutable.
type Table struct {
	specs  []*Spec // by service, then in the order of the file
	byPath map[string]*Spec
	paths  []string // sorted
}

// Default returns the table of the operators that the service accepts. The
// first call reads it.
func Default() *Table { return standard() }

var standard = sync.OnceValue(func() *Table {
	t, err := readTable()
	if err != nil {
		panic(err) // the data is part of the program
	}
	return t
})

// A row is an operator as written in a data file.
type row struct {
	Class    string                        `json:"class"`
	Path     string                        `json:"path"`
	Also     []string                      `json:"also"`
	Sensor   bool                          `json:"sensor"`
	Abstract bool                          `json:"abstract"`
	Noop     bool                          `json:"noop"`
	Open     bool                          `json:"open"`
	PokeOnly bool                          `json:"poke_only"`
	Suffixes []string                      `json:"suffixes"`
	Defaults map[string]stdjson.RawMessage `json:"defaults"`
	Args     []argRow                      `json:"args"`
	Do       []Step                        `json:"do"`
	Output   *Expr                         `json:"output"`
	Push     map[string]Expr               `json:"push"`
	Cancel   []Step                        `json:"cancel"`
	IAM      []string                      `json:"iam"`
	Pulls    map[string]string             `json:"pulls"`
}

type argRow struct {
	Name     string               `json:"name"`
	Type     string               `json:"type"`
	Required bool                 `json:"required"`
	Template bool                 `json:"template"`
	Nullable bool                 `json:"nullable"`
	Default  stdjson.RawMessage   `json:"default"`
	Enum     []stdjson.RawMessage `json:"enum"`
	Unless   []string             `json:"unless"`
}

func readTable() (*Table, error) {
	entries, err := data.ReadDir("data")
	if err != nil {
		return nil, err
	}
	t := &Table{byPath: map[string]*Spec{}}
	for _, e := range entries {
		if err := t.readFile("data/" + e.Name()); err != nil {
			return nil, fmt.Errorf("read operator table %s: %w", e.Name(), err)
		}
	}
	slices.Sort(t.paths)
	return t, nil
}

func (t *Table) readFile(name string) error {
	text, err := data.ReadFile(name)
	if err != nil {
		return err
	}
	var file struct {
		Service   string `json:"service"`
		Operators []row  `json:"operators"`
	}
	if err := json.Unmarshal(text, &file, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	for _, r := range file.Operators {
		s := &Spec{
			Class: r.Class, Paths: append([]string{r.Path}, r.Also...), Service: file.Service,
			Sensor: r.Sensor, Abstract: r.Abstract, Noop: r.Noop, Open: r.Open, PokeOnly: r.PokeOnly,
			Suffixes: r.Suffixes, Defaults: r.Defaults, Args: make([]Arg, len(r.Args)),
			Do: r.Do, Output: r.Output, Push: r.Push, Cancel: r.Cancel, IAM: r.IAM, Pulls: r.Pulls,
		}
		s.made = made(s)
		for i, a := range r.Args {
			s.Args[i] = Arg(a)
		}
		for _, p := range s.Paths {
			if t.byPath[p] != nil {
				return fmt.Errorf("%s is listed twice", p)
			}
			t.byPath[p] = s
			t.paths = append(t.paths, p)
		}
		t.specs = append(t.specs, s)
	}
	return nil
}

// Lookup returns what is known of the operator with the import path. The
// caller must not change it.
func (t *Table) Lookup(path string) (*Spec, bool) {
	s, ok := t.byPath[path]
	return s, ok
}

// Specs returns every operator once, by service. The caller must not change
// them.
func (t *Table) Specs() []*Spec { return slices.Clone(t.specs) }

// Paths returns every import path, sorted.
func (t *Table) Paths() []string { return slices.Clone(t.paths) }

// Implemented reports whether this version can carry out the operator.
func (t *Table) Implemented(path string) bool {
	s, ok := t.byPath[path]
	return ok && (s.Noop || runnerOf(s) != nil || pokerOf(s) != nil)
}

// made returns the names that the steps of an operator give to results.
func made(s *Spec) map[string]bool {
	names := map[string]bool{}
	for _, step := range slices.Concat(s.Do, s.Cancel) {
		names[step.Item], names[step.name()] = true, true
		for k := range step.Set {
			names[k] = true
		}
		for _, l := range []*Look{step.Look, step.Wait} {
			if l != nil {
				names[l.name()] = true
				for _, tail := range l.Logs {
					names[tail.As], names[tail.token()] = true, true
				}
			}
		}
	}
	delete(names, "")
	return names
}

// results returns the names of the results of steps. It must not be changed.
func (s *Spec) results() map[string]bool { return s.made }

// Arg returns the argument of the given name.
func (s *Spec) Arg(name string) (Arg, bool) {
	i := slices.IndexFunc(s.Args, func(a Arg) bool { return a.Name == name })
	if i < 0 {
		return Arg{}, false
	}
	return s.Args[i], true
}

// Nearest returns the import path that path was probably meant to be, or
// nothing when none is close. A bare class name is close to its path, and so
// is the name that an older Airflow had for the class.
func (t *Table) Nearest(path string) string {
	if path == "" || len(path) > 300 {
		return ""
	}
	class := stem(path[strings.LastIndex(path, ".")+1:])
	if class == "dummy" {
		class = "empty"
	}
	best, bestCost := "", 1<<30
	for _, s := range t.specs {
		// A slip in the class weighs more than one in the module: the class
		// is what people have in mind.
		own := stem(s.Class)
		c := near.Edits(class, own)
		if c > 1+len(own)/4 {
			continue
		}
		for _, p := range s.Paths {
			if cost := c<<10 + near.Edits(path, p); cost < bestCost {
				best, bestCost = p, cost
			}
		}
	}
	return best
}

// stem is the part of a class name that tells it from others.
func stem(class string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(class), "operator"), "sensor")
}
