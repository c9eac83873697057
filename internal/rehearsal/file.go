// Package rehearsal tests workflows under a virtual clock: a definition, a
// script of replies that its operators give, and what is expected of the
// runs. The rules are those of the engine, of the schedules and of the
// templates; no process is started, nothing is written and nothing is asked
// of a network, so that a month of a schedule passes in a second.
//
// [Parse] reads a file of tests and [Stage.Play] plays it. The package knows
// neither files nor the command line.
package rehearsal

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
)

// Bounds on a file of tests and on what it may ask for.
const (
	MaxBytes   = 1 << 20
	maxTests   = 1000
	maxReplies = 1000
	maxRuns    = 10_000
	maxSteps   = 2_000_000
	maxXCom    = 100 << 10
)

// A File is a file of tests, as written.
type File struct {
	// Workflow is the path of the definition, relative to the file.
	Workflow string
	// Code is the path of its code package, relative to the file; empty
	// without one.
	Code  string
	Tests []Test

	workflow, code place
}

// WorkflowAt and CodeAt return a fault about a path that the file names.
func (f *File) WorkflowAt(message string) flow.Diagnostic { return f.workflow.fault(message) }

// CodeAt is like [File.WorkflowAt].
func (f *File) CodeAt(message string) flow.Diagnostic { return f.code.fault(message) }

func (p place) fault(message string) flow.Diagnostic {
	return flow.Diagnostic{Line: p.Line, Column: p.Column, Path: p.Path, Message: message}
}

// A Test is one test of a file.
type Test struct {
	Name         string
	Line, Column int

	path   string
	start  moment // of the one run, or of the range
	end    moment // of the range
	ranged bool
	params json.RawMessage
	do     []deed
	tasks  []script
	runs   []check[*ended]  // of every run
	whole  []check[*season] // of the whole
	names  []name
	except []Test // runs of the range that go another way; start is the slot
}

// A name is a place that names a task.
type name struct {
	place
	task string
}

// A script says how the attempts of one task go.
type script struct {
	place
	task    flow.TaskID
	replies []reply
}

// reply returns how the n-th attempt goes, counted from 1.
func (s *script) reply(n int) reply {
	if s == nil {
		return reply{verdict: flow.Success}
	}
	return s.replies[min(n, len(s.replies))-1]
}

// A reply is how one attempt goes.
type reply struct {
	place
	// verdict is Timeout for an attempt that never ends by itself.
	verdict flow.Verdict
	reason  string
	takes   time.Duration
	pokes   int // a sensor's look from which it may succeed or fail
	xcom    map[string]json.RawMessage
}

// Parse reads a file of tests. What is wrong with it is said in the
// diagnostics; with any fault among them the file is nil.
func Parse(src []byte) (*File, []flow.Diagnostic) {
	root, diags := airflow.ReadDocument(src, MaxBytes)
	if root == nil {
		return nil, diags
	}
	r := &reader{diags: diags}
	// A key that is written twice would drop a test in silence.
	for i := range r.diags {
		r.diags[i].Severity = flow.Fault
		r.diags[i].Fix = cmp.Or(r.diags[i].Fix, "rename one of them, or take it out")
	}
	f := r.file(root)
	if len(r.diags) > 0 {
		slices.SortStableFunc(r.diags, func(a, b flow.Diagnostic) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		})
		return nil, r.diags
	}
	return f, nil
}

func (r *reader) file(root *airflow.Value) *File {
	f := &File{}
	if root.Kind == airflow.NullValue {
		r.fault(at(root, ""), "begin with workflow: and the path of the definition, and tests: with the name of each test below it", "the file is empty")
		return f
	}
	if root.Kind == airflow.Mapping && len(root.Pairs) == 1 && root.Pairs[0].Key.Text != "tests" && root.Pairs[0].Value.Find("tasks") != nil {
		r.fault(at(root, ""), "name the file of its tests, which begins with workflow: and the path of this one", "this is a definition, not a file of tests")
		return f
	}
	if !r.keys(root, "", "workflow", "code", "tests") {
		return f
	}
	if v := root.Find("workflow"); v != nil {
		f.Workflow, f.workflow = r.text(v, "workflow"), at(v, "workflow")
	} else {
		r.fault(at(root, ""), "add workflow: and the path of the definition, relative to this file", "the file names no workflow")
	}
	if v := root.Find("code"); v != nil {
		f.Code, f.code = r.text(v, "code"), at(v, "code")
	}
	tests := root.Find("tests")
	if tests == nil {
		r.fault(at(root, ""), "add tests: and below it the name of each test", "the file has no tests")
		return f
	}
	if tests.Kind != airflow.Mapping {
		r.fault(at(tests, "tests"), "write the name of each test as a key", "expected a mapping of 1 to %d tests by name, not %s", maxTests, tests.Kind)
		return f
	}
	if n := len(tests.Pairs); n == 0 || n > maxTests {
		r.fault(at(tests, "tests"), "write the name of each test as a key", "expected 1 to %d tests, not %d", maxTests, n)
		return f
	}
	for _, p := range tests.Pairs {
		f.Tests = append(f.Tests, r.test(p.Key, p.Value))
	}
	return f
}

func (r *reader) test(key, v *airflow.Value) Test {
	t := Test{Name: key.Text, Line: key.Line, Column: key.Column, path: join("tests", key.Text)}
	t.start = moment{t: defaultStart()}
	if v.Kind == airflow.NullValue {
		r.fault(at(key, t.path), "add expect: {run: SUCCESS}", "the test is empty")
		return t
	}
	if !r.keys(v, t.path, "at", "from", "to", "params", "tasks", "stop", "do", "except", "expect") {
		return t
	}
	r.times(&t, v)
	if p := v.Find("params"); p != nil {
		if p.Kind != airflow.Mapping {
			r.fault(at(p, join(t.path, "params")), "", "expected a mapping from name to value, not %s", p.Kind)
		} else {
			t.params = p.JSON()
		}
	}
	if s := v.Find("stop"); s != nil {
		path := join(t.path, "stop")
		if t.ranged {
			r.fault(at(s, path), "", "only a test of one run can stop it, and this one has from and to")
		}
		d := deed{place: at(s, path), verb: "stop"}
		if s.Kind == airflow.Mapping {
			if r.keys(s, path, "after") && s.Find("after") == nil {
				r.fault(at(s, path), "write stop: {after: 10m}", "it says not when")
			}
			if after := s.Find("after"); after != nil {
				d.after = r.span(after, join(path, "after"))
			}
		} else {
			d.after = r.span(s, path)
		}
		t.do = append(t.do, d)
	}
	if do := v.Find("do"); do != nil {
		r.deeds(&t, do, join(t.path, "do"))
	}
	if tasks := v.Find("tasks"); tasks != nil {
		r.tasks(&t, tasks, join(t.path, "tasks"))
	}
	if x := v.Find("except"); x != nil {
		r.except(&t, x, join(t.path, "except"))
	}
	expect := v.Find("expect")
	if expect == nil {
		r.fault(at(key, t.path), "add expect: {run: SUCCESS}", "the test expects nothing")
		return t
	}
	r.expect(&t, expect, join(t.path, "expect"))
	return t
}

// times reads when the test's runs are.
func (r *reader) times(t *Test, v *airflow.Value) {
	one, from, to := v.Find("at"), v.Find("from"), v.Find("to")
	switch {
	case one != nil && (from != nil || to != nil):
		r.fault(at(one, join(t.path, "at")), "keep at for one run, or from and to for those of the schedule", "at and from or to exclude each other")
	case one != nil:
		t.start = r.moment(one, join(t.path, "at"))
	case from != nil && to != nil:
		t.ranged = true
		known := len(r.diags)
		t.start, t.end = r.moment(from, join(t.path, "from")), r.moment(to, join(t.path, "to"))
		if len(r.diags) == known && t.end.before(t.start) {
			r.fault(at(to, join(t.path, "to")), "exchange them", "the range ends before it begins")
		}
	case from != nil:
		r.fault(at(from, join(t.path, "from")), "add to: and the last day", "from needs a to")
	case to != nil:
		r.fault(at(to, join(t.path, "to")), "add from: and the first day", "to needs a from")
	}
}

// except reads which runs of the range go another way.
func (r *reader) except(t *Test, v *airflow.Value, path string) {
	if !t.ranged {
		r.fault(at(v, path), "give the test from: and to:", "except is about runs of a range of the schedule, and this test is about one run")
		return
	}
	if v.Kind != airflow.Mapping {
		r.fault(at(v, path), "write except: {2026-03-02T06:00: {tasks: …, expect: …}}", "expected a mapping from fire time, not %s", v.Kind)
		return
	}
	for _, p := range v.Pairs {
		path := join(path, p.Key.Text)
		x := Test{Line: p.Key.Line, Column: p.Key.Column, path: path, start: r.moment(p.Key, path)}
		if !r.keys(p.Value, path, "tasks", "do", "expect") {
			continue
		}
		if do := p.Value.Find("do"); do != nil {
			r.deeds(&x, do, join(path, "do"))
		}
		if tasks := p.Value.Find("tasks"); tasks != nil {
			r.tasks(&x, tasks, join(path, "tasks"))
		}
		if expect := p.Value.Find("expect"); expect != nil {
			r.expect(&x, expect, join(path, "expect"))
		}
		t.names = append(t.names, x.names...)
		t.except = append(t.except, x)
	}
}

func (r *reader) tasks(t *Test, v *airflow.Value, path string) {
	if v.Kind != airflow.Mapping {
		r.fault(at(v, path), "", "expected a mapping from task to reply, not %s", v.Kind)
		return
	}
	for _, p := range v.Pairs {
		path := join(path, p.Key.Text)
		s := script{place: at(p.Key, path), task: flow.TaskID(p.Key.Text)}
		list := []*airflow.Value{p.Value}
		if p.Value.Kind == airflow.List {
			list = p.Value.Items
		}
		if len(list) == 0 || len(list) > maxReplies {
			r.fault(at(p.Value, path), "", "expected 1 to %d replies, not %d", maxReplies, len(list))
			continue
		}
		for _, it := range list {
			s.replies = append(s.replies, r.reply(it, path))
		}
		t.tasks = append(t.tasks, s)
		t.names = append(t.names, name{s.place, p.Key.Text})
	}
}

// verdicts are the words for how an attempt goes.
func verdicts() []string {
	return []string{"succeeds", "fails", "skips", "fails_for_good", "times_out", "is_lost"}
}

func verdictOf(word string) flow.Verdict {
	return map[string]flow.Verdict{
		"succeeds": flow.Success, "fails": flow.Failure, "skips": flow.Skip,
		"fails_for_good": flow.Fatal, "times_out": flow.Timeout, "is_lost": flow.Lost,
	}[word]
}

func (r *reader) reply(v *airflow.Value, path string) reply {
	out := reply{place: at(v, path), verdict: flow.Success}
	switch v.Kind {
	case airflow.Text:
		if out.verdict = verdictOf(v.Text); out.verdict == "" {
			r.fault(out.place, meant(v.Text, verdicts()), "expected a reply, not %s", shown(v))
		}
		out.reason = defaultReason(out.verdict)
		return out
	case airflow.Mapping:
	default:
		r.fault(out.place, "write one of "+strings.Join(verdicts(), ", ")+", or a mapping such as {fails: connection refused, takes: 5m}", "expected a reply, not %s", v.Kind)
		return out
	}
	r.keys(v, path, append(verdicts(), "takes", "pokes", "returns", "xcom")...)
	said := ""
	for _, p := range v.Pairs {
		word := p.Key.Text
		path := join(path, word)
		switch word {
		case "takes":
			out.takes = r.span(p.Value, path)
		case "pokes":
			out.pokes = r.count(p.Value, path, 1, 1_000_000)
		case "returns":
			r.publish(&out, "return_value", p.Value, path)
		case "xcom":
			if p.Value.Kind != airflow.Mapping {
				r.fault(at(p.Value, path), "write xcom: {return_value: …}, or returns: for the return value alone", "expected a mapping from key to value, not %s", p.Value.Kind)
				continue
			}
			for _, x := range p.Value.Pairs {
				r.publish(&out, x.Key.Text, x.Value, join(path, x.Key.Text))
			}
		default:
			verdict := verdictOf(word)
			if verdict == "" {
				continue // reported
			}
			if said != "" {
				r.fault(at(p.Key, path), "make them a list, one reply for each attempt", "one attempt has one end, not both %s and %s", said, word)
			}
			said, out.verdict, out.reason = word, verdict, r.reason(verdict, p.Value, path)
		}
	}
	if out.verdict != flow.Success && len(out.xcom) > 0 {
		r.fault(out.place, "leave the values out, or let the attempt succeed", "only an attempt that succeeds publishes values")
	}
	if out.verdict == flow.Timeout && out.takes > 0 {
		r.fault(out.place, "leave takes out", "an attempt that times out takes as long as it is given")
	}
	return out
}

// reason reads the value of a verdict: a text, or nothing or true for none.
func (r *reader) reason(verdict flow.Verdict, v *airflow.Value, path string) string {
	switch {
	case v.Kind == airflow.NullValue, v.Kind == airflow.BoolValue && v.Text == "true":
		return defaultReason(verdict)
	case v.Kind == airflow.Text && verdict != flow.Success && verdict != flow.Timeout:
		return v.Text
	}
	if verdict == flow.Success || verdict == flow.Timeout {
		r.fault(at(v, path), "write true", "expected true, not %s", shown(v))
		return ""
	}
	r.fault(at(v, path), "quote it", "expected the reason as text, not %s", shown(v))
	return ""
}

func defaultReason(v flow.Verdict) string {
	switch v {
	case flow.Failure, flow.Fatal:
		return "failed by the test's script"
	case flow.Skip:
		return "skipped by the test's script"
	case flow.Lost:
		return "The worker was lost: its supervisor ended without a report"
	}
	return ""
}

// publish adds an XCom to a reply.
func (r *reader) publish(out *reply, key string, v *airflow.Value, path string) {
	if out.xcom == nil {
		out.xcom = map[string]json.RawMessage{}
	}
	if _, twice := out.xcom[key]; twice {
		r.fault(at(v, path), "", "the value %s is given twice", quoted(key))
	}
	raw := v.JSON()
	if len(raw) > maxXCom {
		r.fault(at(v, path), "", "an XCom has %d bytes; the service takes at most %d", len(raw), maxXCom)
	}
	out.xcom[key] = raw
}
