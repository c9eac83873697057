package airflow

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// An Explanation is what a definition says, with all defaults in place. The
// names of its JSON members are a promise to scripts.
type Explanation struct {
	DagID    string           `json:"dag_id"`
	Schedule *ExplainedPlan   `json:"schedule"` // nil: on demand only
	MaxRuns  int              `json:"max_active_runs"`
	MaxTasks int              `json:"max_active_tasks"`
	Params   []ExplainedParam `json:"params"`
	Tasks    []ExplainedTask  `json:"tasks"` // in the order of the graph
	Edges    [][2]flow.TaskID `json:"edges"` // from upstream to downstream
	Warnings []string         `json:"warnings"`
}

// An ExplainedPlan is a schedule. Start and end bound its fires.
type ExplainedPlan struct {
	Expression string `json:"expression"`
	Zone       string `json:"timezone"`
	Words      string `json:"words"`
	Start      string `json:"start_date,omitempty"`
	End        string `json:"end_date,omitempty"`
	// Next are the next fire times, in the zone.
	Next []string `json:"next"`
}

// An ExplainedParam is a param of the workflow or of a task.
type ExplainedParam struct {
	Name string `json:"name"`
	// Type is what the schema says, or else what the default is.
	Type    string          `json:"type,omitempty"`
	Default json.RawMessage `json:"default,omitempty"`
	// Required: there is no default, so each run must give a value.
	Required bool            `json:"required,omitempty"`
	Schema   json.RawMessage `json:"schema,omitempty"`
}

// An ExplainedTask is a task.
type ExplainedTask struct {
	ID         flow.TaskID   `json:"task_id"`
	Operator   string        `json:"operator"`
	Class      string        `json:"class"`
	Line       int           `json:"line"`
	Upstream   []flow.TaskID `json:"upstream"`
	Downstream []flow.TaskID `json:"downstream"`
	Rule       flow.Rule     `json:"trigger_rule"`
	Retries    int           `json:"retries"`
	// RetryDelay and Timeout are in seconds.
	RetryDelay float64          `json:"retry_delay"`
	Timeout    float64          `json:"execution_timeout"`
	Sensor     *ExplainedSensor `json:"sensor,omitempty"`
	Params     []ExplainedParam `json:"params,omitempty"`
	// Runs says that this version can carry the task out.
	Runs bool `json:"runs"`
}

// An ExplainedSensor says how a sensor waits; times are in seconds.
type ExplainedSensor struct {
	Mode         string  `json:"mode"`
	PokeInterval float64 `json:"poke_interval"`
	Timeout      float64 `json:"timeout"`
	MaxWait      float64 `json:"max_wait,omitempty"`
	Backoff      bool    `json:"exponential_backoff,omitempty"`
	SoftFail     bool    `json:"soft_fail,omitempty"`
	SilentFail   bool    `json:"silent_fail,omitempty"`
	NeverFail    bool    `json:"never_fail,omitempty"`
}

// Explain says what a definition that Compile accepted means. next are the
// next fires of its schedule, and runs tells whether an operator can be
// carried out. found are the findings of the compilation; each becomes a
// warning.
func Explain(def flow.Definition, found []flow.Diagnostic, next []time.Time, runs func(path string) bool) (Explanation, error) {
	var meta Meta
	if err := json.Unmarshal(def.Graph.Meta, &meta); err != nil {
		return Explanation{}, fmt.Errorf("meta of %s: %w", def.Name, err)
	}
	x := Explanation{
		DagID: def.Name, MaxRuns: def.MaxRuns, MaxTasks: def.Graph.MaxActive,
		Params: explainParams(meta.Params), Tasks: []ExplainedTask{}, Edges: [][2]flow.TaskID{}, Warnings: []string{},
	}
	if def.Schedule != nil {
		x.Schedule = explainPlan(def.Schedule, next)
	}
	for _, d := range found {
		x.Warnings = append(x.Warnings, Visible(d.String()))
	}
	at := map[flow.TaskID]int{}
	for _, n := range def.Graph.Nodes {
		t, err := explainTask(n, runs)
		if err != nil {
			return Explanation{}, err
		}
		at[n.ID] = len(x.Tasks)
		x.Tasks = append(x.Tasks, t)
		for _, up := range n.After {
			x.Edges = append(x.Edges, [2]flow.TaskID{up, n.ID})
			i := at[up] // upstreams come first
			x.Tasks[i].Downstream = append(x.Tasks[i].Downstream, n.ID)
		}
	}
	return x, nil
}

func explainPlan(s *flow.Schedule, next []time.Time) *ExplainedPlan {
	const form = "2006-01-02T15:04:05-07:00"
	p := &ExplainedPlan{Expression: s.Expr, Zone: s.Zone, Words: ScheduleWords(s.Expr), Next: []string{}}
	zone, err := zoneNamed(s.Zone)
	if err != nil {
		zone = time.UTC
	}
	if !s.Start.IsZero() {
		p.Start = s.Start.In(zone).Format(form)
	}
	if !s.End.IsZero() {
		p.End = s.End.In(zone).Format(form)
	}
	for _, t := range next {
		p.Next = append(p.Next, t.Format(form))
	}
	return p
}

func explainTask(n flow.Node, runs func(path string) bool) (ExplainedTask, error) {
	var act Action
	if err := json.Unmarshal(n.Action, &act); err != nil {
		return ExplainedTask{}, fmt.Errorf("action of task %s: %w", n.ID, err)
	}
	t := ExplainedTask{
		ID: n.ID, Operator: act.Operator, Class: n.Kind, Line: act.Line,
		Upstream: append([]flow.TaskID{}, n.After...), Downstream: []flow.TaskID{}, Rule: n.When,
		Retries: n.Retries, RetryDelay: n.Delay.Seconds(), Timeout: n.Timeout.Seconds(), Runs: runs(act.Operator),
	}
	if t.Rule == "" {
		t.Rule = flow.AllSuccess
	}
	if len(act.Params) > 0 {
		t.Params = explainParams(act.Params)
	}
	if s := act.Sensor; s != nil {
		t.Sensor = &ExplainedSensor{
			Mode: s.Mode, PokeInterval: s.PokeInterval, Timeout: s.Timeout, MaxWait: s.MaxWait,
			Backoff: s.ExponentialBackoff, SoftFail: s.SoftFail, SilentFail: s.SilentFail, NeverFail: s.NeverFail,
		}
	}
	return t, nil
}

func explainParams(params []Param) []ExplainedParam {
	out := make([]ExplainedParam, len(params))
	for i, p := range params {
		out[i] = ExplainedParam{Name: p.Name, Default: p.Default, Required: p.Default == nil, Schema: p.Schema, Type: paramType(p)}
	}
	return out
}

// paramType returns the types of JSON that a param's schema allows, joined
// by "or", or the one that its default has.
func paramType(p Param) string {
	if p.Schema != nil {
		if t := fromJSON(p.Schema).find("type"); t != nil {
			if t.kind != list {
				t = &value{kind: list, items: []*value{t}}
			}
			var names []string
			for _, it := range t.items {
				if it.kind == null {
					it = &value{kind: text, text: "null"}
				}
				names = append(names, it.text)
			}
			return strings.Join(names, " or ")
		}
	}
	if p.Default == nil {
		return ""
	}
	switch v := fromJSON(p.Default); v.kind {
	case text:
		return "string"
	case integer:
		return "integer"
	case float:
		return "number"
	case boolean:
		return "boolean"
	case list:
		return "array"
	case mapping:
		return "object"
	}
	return "null"
}

// Text writes the explanation for people to read, without escape codes of
// its own or of the definition's.
func (x Explanation) Text() string {
	var b strings.Builder
	put := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, Visible(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(&b, "%s: %s\n", Visible(x.DagID), plural(len(x.Tasks), "task"))
	x.putSchedule(put)
	put("at once", "%s, %s of each", plural(x.MaxRuns, "run"), plural(x.MaxTasks, "task"))
	for i, p := range x.Params {
		put(only(i == 0, "params"), "%s", p)
	}
	for i, t := range x.Tasks {
		fmt.Fprintf(&b, "\n%d. %s  %s\n", i+1, Visible(string(t.ID)), Visible(t.Class))
		t.put(put)
	}
	if len(x.Warnings) > 0 {
		fmt.Fprintf(&b, "\nworth knowing\n")
		for _, w := range x.Warnings {
			fmt.Fprintf(&b, "  %s\n", w)
		}
	}
	return b.String()
}

type putter func(name, format string, args ...any)

func (x Explanation) putSchedule(put putter) {
	s := x.Schedule
	if s == nil {
		put("schedule", "none: it runs on demand")
		return
	}
	put("schedule", "%s (%s), %s", s.Expression, s.Words, s.Zone)
	if s.Start != "" {
		put("from", "%s", s.Start)
	}
	if s.End != "" {
		put("until", "%s", s.End)
	}
	for i, n := range s.Next {
		put(only(i == 0, "next"), "%s", n)
	}
	if len(s.Next) == 0 {
		put("next", "never")
	}
}

// put writes what of a task is not as every task is.
func (t ExplainedTask) put(put putter) {
	put("operator", "%s%s", t.Operator, only(!t.Runs, " (this version cannot run it)"))
	if len(t.Upstream) > 0 {
		put("after", "%s", ids(t.Upstream))
	}
	if t.Rule != flow.AllSuccess {
		put("when", "%s", t.Rule)
	}
	again := "none"
	if t.Retries > 0 {
		again = fmt.Sprintf("%d, %s after a failure", t.Retries, lasting(t.RetryDelay))
	}
	put("retries", "%s", again)
	put("timeout", "%s", lasting(t.Timeout))
	if s := t.Sensor; s != nil {
		how := fmt.Sprintf("looks every %s for at most %s, mode %s", lasting(s.PokeInterval), lasting(s.Timeout), s.Mode)
		how += only(s.Backoff, ", ever less often") + only(s.MaxWait > 0, ", at least every "+lasting(s.MaxWait))
		how += only(s.SoftFail, ", soft_fail") + only(s.SilentFail, ", silent_fail") + only(s.NeverFail, ", never_fail")
		put("sensor", "%s", how)
	}
	for i, p := range t.Params {
		put(only(i == 0, "params"), "%s", p)
	}
}

// String is the param on one line.
func (p ExplainedParam) String() string {
	s := p.Name
	if p.Type != "" {
		s += " (" + p.Type + ")"
	}
	if p.Required {
		return s + ": each run must give it"
	}
	return s + " = " + Clip(string(p.Default), 200)
}

func ids(all []flow.TaskID) string {
	names := make([]string, len(all))
	for i, id := range all {
		names[i] = string(id)
	}
	return strings.Join(names, ", ")
}

func lasting(n float64) string {
	if n > 1e9 {
		return strconv.FormatFloat(n, 'g', -1, 64) + "s"
	}
	s := time.Duration(n * float64(time.Second)).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// only is s if it applies, and nothing otherwise.
func only(applies bool, s string) string {
	if applies {
		return s
	}
	return ""
}

// Mermaid writes the graph as a flowchart of Mermaid. Its ids are its own, so
// that no name of the definition can be taken for syntax.
func (x Explanation) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	at := map[flow.TaskID]int{}
	for i, t := range x.Tasks {
		at[t.ID] = i
		left, right := "[", "]"
		if t.Sensor != nil {
			left, right = "([", "])"
		}
		label := mermaidText(string(t.ID)) + "<br/>" + mermaidText(t.Class)
		if t.Rule != flow.AllSuccess {
			label += "<br/>" + mermaidText(string(t.Rule))
		}
		fmt.Fprintf(&b, "  t%d%s\"%s\"%s\n", i, left, label, right)
	}
	for _, e := range x.Edges {
		fmt.Fprintf(&b, "  t%d --> t%d\n", at[e[0]], at[e[1]])
	}
	return b.String()
}

// mermaidText writes all but plain characters as Mermaid's entities.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
