package operator

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fairlead/internal/operator/awscall"
	"fairlead/internal/operator/awstest"
)

// TestStepsAreSound checks what the data says without carrying it out: that
// calls, members, paths, names, functions and code exist.
func TestStepsAreSound(t *testing.T) {
	for _, s := range Default().Specs() {
		if len(s.Do) == 0 {
			continue
		}
		c := &checker{T: t, spec: s}
		for i := range s.Do {
			c.step(fmt.Sprintf("do[%d]", i), &s.Do[i])
		}
		for i := range s.Cancel {
			c.step(fmt.Sprintf("cancel[%d]", i), &s.Cancel[i])
		}
		if s.Output != nil {
			c.expr("output", s.Output.value)
		}
		for k, e := range s.Push {
			c.expr("push."+k, e.value)
		}
		if len(s.IAM) == 0 {
			c.fault("iam", "no actions")
		}
		looks := slices.ContainsFunc(s.Do, func(s Step) bool { return s.Look != nil })
		if looks != s.Sensor {
			c.fault("do", "a sensor looks, an operator does not")
		}
	}
}

type checker struct {
	*testing.T
	spec *Spec
}

func (c *checker) fault(where, format string, args ...any) {
	c.Helper()
	c.Errorf("%s: %s.%s: %s", c.spec.Service, c.spec.Class, where, fmt.Sprintf(format, args...))
}

func (c *checker) step(where string, s *Step) {
	if _, err := s.kind(); err != nil {
		c.fault(where, "%v", err)
		return
	}
	for _, e := range []*Expr{s.If, s.Each} {
		if e != nil {
			c.expr(where+".if", e.value)
		}
	}
	if (s.Each == nil) != (s.Item == "") {
		c.fault(where, "each and item go together")
	}
	if s.Call != "" {
		c.call(where, s.Call, s.Input)
	}
	for _, e := range s.Spread {
		c.expr(where+".spread", e.value)
	}
	for _, m := range []map[string]Expr{s.Set, s.Push} {
		for k, e := range m {
			c.expr(where+"."+k, e.value)
		}
	}
	c.expr(where+".fail", s.Fail)
	c.expr(where+".log", s.Log)
	if s.Retry != nil {
		c.expr(where+".retry", s.Retry.Attempts.value)
		c.expr(where+".retry", s.Retry.Delay.value)
	}
	if s.Code != "" && codeOf(s.Code) == nil {
		c.fault(where, "no code is called %q", s.Code)
	}
	for _, l := range []*Look{s.Look, s.Wait} {
		if l != nil {
			c.look(where, l)
		}
	}
}

func (c *checker) look(where string, l *Look) {
	switch {
	case (l.Call == "") == (l.Code == ""):
		c.fault(where, "a look has a call or code")
	case l.Code != "" && codeOf(l.Code) == nil:
		c.fault(where, "no code is called %q", l.Code)
	case l.Call != "":
		c.call(where, l.Call, l.Input)
	}
	for _, e := range []*Expr{l.First, l.Delay, l.Tries} {
		if e != nil {
			c.expr(where+".delay", e.value)
		}
	}
	c.message(where, l, l.Late)
	if len(l.Accept) == 0 {
		c.fault(where, "nothing is accepted")
	}
	c.path(where+".show", l, l.Show)
	for _, t := range l.Logs {
		if t.As == "" {
			c.fault(where, "logs without a name")
		}
		c.under(where+".logs", t.Group.value, "reply")
		c.under(where+".logs", t.Stream.value, "reply")
		for _, e := range []*Expr{t.If, t.Region} {
			if e != nil {
				c.under(where+".logs", e.value, "reply")
			}
		}
	}
	for i, a := range l.Accept {
		at := fmt.Sprintf("%s.accept[%d]", where, i)
		if !slices.Contains([]string{"success", "failure", "fatal", "skip", "retry"}, a.Then) {
			c.fault(at, "then %q", a.Then)
		}
		if (a.Path == "") != (a.Is == nil) {
			c.fault(at, "path and is go together")
		}
		c.path(at, l, a.Path)
		for _, e := range []*Expr{a.Is, a.If} {
			if e != nil {
				c.under(at, e.value, "reply")
			}
		}
		c.message(at, l, a.Says)
	}
}

// message checks a text that may show $reply.
func (c *checker) message(where string, l *Look, s string) {
	c.under(where, s, "reply")
	for _, m := range regexp.MustCompile(`\$\{reply\.([^}]*)\}`).FindAllStringSubmatch(s, -1) {
		c.path(where, l, m[1])
	}
}

func (c *checker) path(where string, l *Look, path string) {
	service, op, _ := strings.Cut(l.Call, ":")
	if m, err := awstest.Load(service); path != "" && err == nil && !m.OutputHas(op, path) {
		c.fault(where, "no reply of %s has %s", l.Call, path)
	}
}

func (c *checker) call(where, call string, input map[string]Expr) {
	service, op, _ := strings.Cut(call, ":")
	m, err := awstest.Load(service)
	if err != nil || !awscall.Known(call) {
		c.fault(where, "no function calls %s: generate package awscall anew", call)
		return
	}
	for k, e := range input {
		if !m.InputHas(op, k) {
			c.fault(where, "%s has no member %s", call, k)
		}
		c.expr(where+"."+k, e.value)
	}
}

func (c *checker) expr(where string, v any) { c.under(where, v) }

// under checks the names and functions of an expression; more are names that
// it may use besides.
func (c *checker) under(where string, v any, more ...string) {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(v, "$$") {
			return
		}
		for name := range references(v) {
			j := &job{args: &args{spec: c.spec}}
			if _, ok := j.lookup(name); !ok && !slices.Contains(more, name) && name != "it" {
				c.fault(where, "nothing is called $%s", name)
			}
		}
		c.result(where, v)
	case []any:
		for _, e := range v {
			c.under(where, e, more...)
		}
	case map[string]any:
		for k, e := range v {
			if _, ok := functions()[k]; strings.HasPrefix(k, "$") && !ok {
				c.fault(where, "no function %s", k)
			}
			c.under(where, e, more...)
		}
	}
}

// result checks a path into the reply of a call of the operator's own.
func (c *checker) result(where, ref string) {
	for _, m := range regexp.MustCompile(`\$\{?([A-Za-z_]\w*)\.([A-Za-z0-9_.\[\]-]*[A-Za-z0-9_\]])`).FindAllStringSubmatch(ref, -1) {
		for _, s := range slices.Concat(c.spec.Do, c.spec.Cancel) {
			service, op, _ := strings.Cut(s.Call, ":")
			if s.Call == "" || s.name() != m[1] {
				continue
			}
			if model, err := awstest.Load(service); err == nil && !model.OutputHas(op, m[2]) {
				c.fault(where, "no reply of %s has %s", s.Call, m[2])
			}
		}
	}
}

// TestLedger prints, for each entry of the reference, what of it the cases
// cover, and fails for one that does not run or has no case.
func TestLedger(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../../shared/reference/operators.md"))
	if err != nil {
		t.Skip("the reference is not here:", err)
	}
	cases := allCases(t)
	args, calls, kinds := covered(cases)
	have, tested := 0, 0
	entries := regexp.MustCompile("(?m)^\\*\\*(\\w+)\\*\\* `([^`]+)`$").FindAllStringSubmatch(string(text), -1)
	for _, e := range entries {
		class, path := e[1], e[2]
		s, ok := Default().Lookup(path)
		if !ok || !Default().Implemented(path) {
			t.Errorf("%s has no operator", class)
			continue
		}
		have++
		if len(s.Do) == 0 {
			t.Logf("%-55s in Go, tests of its own", class)
			continue
		}
		all := map[string]bool{}
		for _, step := range slices.Concat(s.Do, s.Cancel) {
			all[step.Call] = true
			for _, l := range []*Look{step.Look, step.Wait} {
				if l != nil {
					all[l.Call] = true
				}
			}
		}
		delete(all, "")
		var untried []string
		for call := range all {
			if !calls[class][call] {
				untried = append(untried, call)
			}
		}
		if len(kinds[class]) > 0 {
			tested++
		} else {
			t.Errorf("%s has no case", class)
		}
		t.Logf("%-55s args %d/%d, calls %d/%d, scripted: %s%s", class, len(args[class]), len(s.Args), len(all)-len(untried), len(all),
			strings.Join(sorted(kinds[class]), " "), map[bool]string{true: "; untried " + strings.Join(untried, " ")}[len(untried) > 0])
	}
	t.Logf("%d of %d entries run here; %d have cases, %d with those derived", have, len(entries), tested, len(cases))
}

func sorted(m map[string]bool) []string {
	var l []string
	for k := range m {
		l = append(l, k)
	}
	slices.Sort(l)
	return l
}
