package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/operator/awstest"
)

// A case is one attempt of an operator against a scripted endpoint, as written
// in testdata/operators; the package's documentation has the form.
type opCase struct {
	file         string
	line         int
	class, title string
	args         map[string]json.RawMessage
	xcoms        map[string]map[string]json.RawMessage
	script       []awstest.Exchange
	events       map[int]string // number of exchanges → stop or restart
	pauses       []time.Duration
	logs         []string
	verdict      string
	end          string // outputs or a part of the reason
}

func (c opCase) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", c.file, c.line, c.class, c.title)
}

// readCases reads one file of cases.
func readCases(t *testing.T, file string) []opCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []opCase
	var block []string // a directive and its continuation
	start := 0
	flush := func() {
		if len(block) == 0 {
			return
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(strings.Join(block, "\n")), " ")
		block = nil
		if word == "==" {
			class, title, ok := strings.Cut(rest, ":")
			if !ok {
				t.Fatalf("%s:%d: want == Class: title", file, start)
			}
			cases = append(cases, opCase{file: filepath.Base(file), line: start, class: strings.TrimSpace(class), title: strings.TrimSpace(title), events: map[int]string{}})
			return
		}
		if len(cases) == 0 {
			t.Fatalf("%s:%d: a file begins with a case", file, start)
		}
		if err := cases[len(cases)-1].directive(word, strings.TrimSpace(rest)); err != nil {
			t.Fatalf("%s:%d: %v", file, start, err)
		}
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		trimmed := strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(trimmed, "#"):
		case strings.TrimSpace(trimmed) == "":
		case trimmed[0] == ' ' || trimmed[0] == '\t':
			block = append(block, trimmed)
		default:
			flush()
			start, block = n, []string{trimmed}
		}
	}
	flush()
	return cases
}

func (c *opCase) directive(word, rest string) error {
	last := len(c.script) - 1
	switch word {
	case "args":
		return json.Unmarshal([]byte(rest), &c.args)
	case "xcom":
		task, published, _ := strings.Cut(rest, " ")
		c.xcoms = map[string]map[string]json.RawMessage{task: nil}
		v := c.xcoms[task]
		err := json.Unmarshal([]byte(published), &v)
		c.xcoms[task] = v
		return err
	case ">":
		call, in, _ := strings.Cut(rest, " ")
		x := awstest.Exchange{Call: call}
		if in = strings.TrimSpace(in); in != "" {
			if err := json.Unmarshal([]byte(in), &x.Input); err != nil {
				return fmt.Errorf("%s: %w", call, err)
			}
		} else {
			for _, before := range c.script {
				if before.Call == call {
					x.Input = before.Input
				}
			}
		}
		c.script = append(c.script, x)
	case "<":
		return json.Unmarshal([]byte(rest), &c.script[last].Reply)
	case "!":
		code, message, _ := strings.Cut(rest, " ")
		c.script[last].Error = &awstest.Fault{Code: code, Message: message}
	case "stop", "restart":
		c.events[len(c.script)] = word
	case "pause":
		d, err := time.ParseDuration(rest)
		c.pauses = append(c.pauses, d)
		return err
	case "log":
		c.logs = append(c.logs, rest)
	case "success", "failure", "fatal", "skip", "notyet":
		c.verdict, c.end = word, rest
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

// errTestStop ends an attempt as the conductor does.
var errTestStop = errors.New("the attempt is to end")

// A trial is one case under way.
type trial struct {
	*testing.T
	c      opCase
	spec   *Spec
	server *awstest.Server
	o      *Operators
	call   Call
	log    strings.Builder
	pauses []time.Duration
	cancel context.CancelCauseFunc
}

// try carries out a case, and reports the calls it made.
func try(t *testing.T, c opCase) { tryIn(t, c, func(*trial) {}) }

// tryIn carries out a case in a world that is given the trial before it begins.
func tryIn(t *testing.T, c opCase, world func(*trial)) {
	spec := specNamed(c.class)
	if spec == nil {
		t.Fatalf("%s: no operator %s", c, c.class)
	}
	tr := &trial{T: t, c: c, spec: spec}
	script := slices.Clone(c.script)
	for n, event := range c.events {
		if n == 0 {
			t.Fatalf("%s: %s comes after an exchange", c, event)
		}
		script[n-1].Then = func() { tr.end(event) }
	}
	tr.server = awstest.Serve(t, script)
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": tr.server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(k, v)
	}
	tr.o = testOperators(t, func(s *Settings) { s.Endpoint = tr.server.URL })
	tr.o.sleep = tr.sleep
	tr.call = call(spec.Paths[0])
	tr.call.Args, tr.call.XComs = c.args, c.xcoms
	tr.call.Env = map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
	world(tr)
	var out flow.Outcome
	if spec.Sensor {
		out = tr.poke()
	} else {
		out = tr.run()
	}
	tr.judge(out)
}

// end ends what is under way, as a stop or a restart does.
func (tr *trial) end(event string) {
	if event == "restart" {
		tr.cancel(exec.ErrDetach)
	} else {
		tr.cancel(errTestStop)
	}
}

func specNamed(class string) *Spec {
	for _, s := range Default().Specs() {
		if s.Class == class {
			return s
		}
	}
	return nil
}

// sleep notes a pause and does not make it.
func (tr *trial) sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		tr.pauses = append(tr.pauses, d)
	}
	return ctx.Err()
}

func (tr *trial) say(level, logger, event string) {
	fmt.Fprintf(&tr.log, "%s %s\n", level, event)
}

// context returns one that events of the case end.
func (tr *trial) context() context.Context {
	ctx, cancel := context.WithCancelCause(tr.Context())
	tr.cancel = cancel
	return ctx
}

// run carries out both halves of an operator.
func (tr *trial) run() flow.Outcome {
	r, ok := tr.o.Runner(tr.call.Path)
	if !ok {
		tr.Fatalf("%s: no runner", tr.c)
	}
	spec, err := r.Command(tr.call)
	if err != nil {
		tr.Fatalf("%s: %v", tr.c, err)
	}
	var result, log bytes.Buffer
	if err := perform(tr.context(), bytes.NewReader(spec.Stdin), &result, &log, tr.sleep); err != nil {
		tr.Fatalf("%s: %v", tr.c, err)
	}
	for line := range strings.Lines(log.String()) {
		var l struct{ Level, Event string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			tr.Errorf("log line %q: %v", line, err)
		}
		tr.say(l.Level, "", l.Event)
	}
	exit := exec.Exit{Why: exec.ByItself, Result: result.Bytes()}
	w, ok := r.(Waiter)
	if !ok {
		return r.Finish(tr.call, exit)
	}
	mark := w.Left(exit)
	if mark == nil {
		return r.Finish(tr.call, exit)
	}
	for {
		ctx := tr.context()
		out, err := w.Wait(ctx, tr.call, mark, func(m json.RawMessage) error { mark = m; return nil }, tr.say)
		for p, ok := errors.AsType[*Pause](err); ok; p, ok = errors.AsType[*Pause](err) {
			_ = tr.sleep(ctx, p.For)
			out, err = p.Resume(ctx)
		}
		if errors.Is(err, exec.ErrDetach) {
			continue // the next server takes it up
		}
		if err != nil {
			return flow.Outcome{Verdict: "error", Reason: err.Error()}
		}
		return out
	}
}

// poke looks until there is an outcome or the script is at its end.
func (tr *trial) poke() flow.Outcome {
	p, ok := tr.o.Poker(tr.call.Path)
	if !ok {
		tr.Fatalf("%s: no poker", tr.c)
	}
	for {
		found, err := p.Poke(tr.context(), tr.call, nil, tr.say)
		switch {
		case err != nil:
			return Outcome(err)
		case found.Done:
			return flow.Outcome{Verdict: flow.Success, Outputs: found.Outputs}
		case tr.server.Done() == len(tr.c.script):
			return flow.Outcome{Verdict: "notyet"}
		}
	}
}

// judge compares the end with what the case says.
func (tr *trial) judge(out flow.Outcome) {
	tr.Helper()
	got := string(out.Verdict)
	switch {
	case got != tr.c.verdict:
		tr.Errorf("%s\n got %s %q, outputs %s\nwant %s %s\nlog:\n%s", tr.c, got, out.Reason, encode(out.Outputs), tr.c.verdict, tr.c.end, &tr.log)
	case got == "success":
		want, err := parseJSON(orEmpty(tr.c.end))
		if err != nil {
			tr.Fatalf("%s: the outputs %q: %v", tr.c, tr.c.end, err)
		}
		have, _ := parseJSON(orEmpty(string(encode(out.Outputs))))
		hide(have, want)
		if !equal(have, want) {
			tr.Errorf("%s\n got outputs %s\nwant outputs %s\nlog:\n%s", tr.c, encode(have), encode(want), &tr.log)
		}
	case !strings.Contains(out.Reason, tr.c.end):
		tr.Errorf("%s\n got reason %q\nwant reason %q", tr.c, out.Reason, tr.c.end)
	}
	if n := tr.server.Done(); n != len(tr.c.script) {
		tr.Errorf("%s: %d of %d requests were made; the next would be %s\nlog:\n%s", tr.c, n, len(tr.c.script), tr.c.script[n].Call, &tr.log)
	}
	if tr.c.pauses != nil && !slices.Equal(tr.pauses, tr.c.pauses) {
		tr.Errorf("%s: it paused %v, want %v", tr.c, tr.pauses, tr.c.pauses)
	}
	for _, l := range tr.c.logs {
		if !strings.Contains(tr.log.String(), l) {
			tr.Errorf("%s: no line with %q in the log:\n%s", tr.c, l, &tr.log)
		}
	}
}

func orEmpty(s string) string {
	if s == "" || s == "null" {
		return "{}"
	}
	return s
}

// hide puts "*" into what was got where the case does not care, and leaves
// ResponseMetadata out where the case does.
func hide(have, want any) {
	switch h := have.(type) {
	case map[string]any:
		w, _ := want.(map[string]any)
		if w["ResponseMetadata"] == nil {
			delete(h, "ResponseMetadata")
		}
		for k := range h {
			if w[k] == "*" {
				h[k] = "*"
			} else {
				hide(h[k], w[k])
			}
		}
	case []any:
		if w, ok := want.([]any); ok && len(w) == len(h) {
			for i := range h {
				hide(h[i], w[i])
			}
		}
	}
}

// derived returns further cases that follow from one that succeeds: the
// service refuses the first call; the server restarts during the first wait,
// after which nothing is started again; the attempt is stopped in it, which
// ends nothing elsewhere if the operator has no way to.
func derived(c opCase) []opCase {
	spec := specNamed(c.class)
	if spec == nil || c.verdict != "success" || len(c.events) > 0 || len(c.script) == 0 {
		return nil
	}
	var more []opCase
	if refusable(spec) && c.script[0].Error == nil {
		e := c
		e.title += " (refused)"
		e.script = slices.Clone(c.script[:1])
		e.script[0].Reply, e.script[0].Error = nil, &awstest.Fault{Code: "AccessDeniedException", Message: "it is not allowed"}
		e.verdict, e.end = "failure", "An error occurred (AccessDeniedException) when calling the "+afterColon(c.script[0].Call)+" operation: it is not allowed"
		e.pauses, e.logs = nil, nil
		more = append(more, e)
	}
	wait := slices.IndexFunc(spec.Do, func(s Step) bool { return s.Wait != nil && s.Wait.Call != "" })
	if wait < 0 || string(c.args["wait_for_completion"]) == "false" {
		return more
	}
	// Before that, code may have asked whether there is something of the name.
	at := slices.IndexFunc(c.script, func(x awstest.Exchange) bool { return x.Call == spec.Do[wait].Wait.Call && x.Error == nil })
	for i := range wait { // a call of the same name before the wait
		if spec.Do[i].Call == spec.Do[wait].Wait.Call {
			at = -1
		}
	}
	if at < 0 || at == 0 && !spec.Sensor {
		return more
	}
	r := c
	r.title += " (restart)"
	r.script = slices.Insert(slices.Clone(c.script), at, c.script[at])
	r.events, r.pauses = map[int]string{at + 1: "restart"}, nil
	r.logs = nil
	more = append(more, r)
	if len(spec.Cancel) == 0 {
		s := c
		s.title += " (stop)"
		s.script, s.events, s.pauses, s.logs = slices.Clone(c.script[:at+1]), map[int]string{at + 1: "stop"}, nil, nil
		s.verdict, s.end = "failure", "The task was stopped"
		more = append(more, s)
	}
	return more
}

// refusable reports whether an error of the service fails the operator.
func refusable(s *Spec) bool {
	return s.Class != "DynamoDBValueSensor" && s.Class != "EmrContainerSensor"
}

// TestOperatorCases carries out all cases and those derived from them.
func TestOperatorCases(t *testing.T) {
	for _, c := range allCases(t) {
		t.Run(c.class+"/"+c.title, func(t *testing.T) { try(t, c) })
	}
}

// allCases returns the written and the derived cases.
func allCases(t *testing.T) []opCase {
	files, err := filepath.Glob("testdata/operators/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases:", err)
	}
	var cases []opCase
	for _, f := range files {
		for _, c := range readCases(t, f) {
			cases = append(cases, c)
			cases = append(cases, derived(c)...)
		}
	}
	return cases
}

// covered returns what the cases of a class use.
func covered(cases []opCase) (args, calls map[string]map[string]bool, kinds map[string]map[string]bool) {
	args, calls, kinds = map[string]map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]bool{}
	note := func(m map[string]map[string]bool, class, what string) {
		if m[class] == nil {
			m[class] = map[string]bool{}
		}
		m[class][what] = true
	}
	for _, c := range cases {
		for a := range maps.Keys(c.args) {
			note(args, c.class, a)
		}
		for _, x := range c.script {
			note(calls, c.class, x.Call)
			if x.Error != nil {
				note(kinds, c.class, "error")
			}
		}
		note(kinds, c.class, c.verdict)
		for _, e := range c.events {
			note(kinds, c.class, e)
		}
	}
	return args, calls, kinds
}
