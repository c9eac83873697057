package web

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"fairlead/internal/flow"
)

type exitView struct {
	Code   int    `json:"code"`
	Signal string `json:"signal"`
	Why    string `json:"why"`
	CPU    int64  `json:"cpu"`
	Memory int64  `json:"memory"`
}

type attemptView struct {
	N       int        `json:"n"`
	State   state      `json:"state"`
	Reason  string     `json:"reason"`
	Started int64      `json:"started"`
	Ended   int64      `json:"ended"`
	Exit    *exitView  `json:"exit"`
	Log     int64      `json:"log"`
	Asked   *askedView `json:"asked"`
}

type neighbor struct {
	ID    flow.TaskID `json:"id"`
	State state       `json:"state"`
}

type excerpt struct {
	Version flow.VersionID `json:"version"`
	First   int            `json:"first"`
	Lines   []string       `json:"lines"`
	Line    int            `json:"line"`
	Arg     string         `json:"arg"`
}

type wholeTask struct {
	Run          runView       `json:"run"`
	WorkflowName string        `json:"workflowName"`
	ID           flow.TaskID   `json:"id"`
	Index        int           `json:"index"`
	Kind         string        `json:"kind"`
	Operator     string        `json:"operator"`
	State        state         `json:"state"`
	Reason       string        `json:"reason"`
	Attempt      int           `json:"attempt"`
	Attempts     []attemptView `json:"attempts"`
	MayTry       int           `json:"mayTry"`
	Due          int64         `json:"due"`
	Wait         *waitView     `json:"wait"`
	Rule         flow.Rule     `json:"rule"`
	Timeout      int64         `json:"timeout"`
	RetryDelay   int64         `json:"retryDelay"`
	Pokes        int           `json:"pokes"`
	Mark         string        `json:"mark"`
	Up           []neighbor    `json:"up"`
	Down         []neighbor    `json:"down"`
	Definition   *excerpt      `json:"definition"`
}

// maxAttempts bounds how many attempts of a task are shown.
const maxAttempts = 200

// taskNode finds the run and the node of the task that a call names.
func (s *Console) taskNode(c *call) (flow.Run, *flow.Graph, *flow.Node, error) {
	r, err := s.c.Runs.RunByID(c.Context(), runOf(c))
	if err != nil {
		return r, nil, nil, err
	}
	g, err := s.whole(c.Context(), r.Graph)
	if err != nil {
		return r, nil, nil, err
	}
	id := flow.TaskID(c.PathValue("task"))
	if node, inside := nodeOf(g, id); node != nil && inside {
		own := *node
		own.ID = id
		return r, g, &own, nil
	} else if node != nil {
		return r, g, node, nil
	}
	return r, nil, nil, flow.Errorf(flow.NotFound, "run %q has no task %q", r.ID, clip(string(id), 200))
}

func (s *Console) getTask(c *call) (any, error) {
	ctx := c.Context()
	r, g, node, err := s.taskNode(c)
	if err != nil {
		return nil, err
	}
	name, err := s.nameOf(ctx, r)
	if err != nil {
		return nil, err
	}
	sk, err := s.skeleton(ctx, r.Graph)
	if err != nil {
		return nil, err
	}
	i, inGraph := sk.index[node.ID]
	if !inGraph {
		i = -1
	}
	t, err := s.c.Tasks.Instance(ctx, r.ID, node.ID, 0)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		t, err = flow.Task{ID: node.ID, Index: i, Kind: node.Kind, State: flow.Waiting}, nil // the run has not begun
	}
	if err != nil {
		return nil, err
	}
	if !inGraph && t.Index > 0 {
		i = t.Index
	}
	out := wholeTask{
		WorkflowName: name, ID: t.ID, Index: i, Kind: node.Kind, State: state(t.State), Reason: clip(t.Reason, maxReason),
		Attempt: t.Attempt, MayTry: node.Retries + 1, Due: dueOf(t), Rule: node.When, Timeout: node.Timeout.Milliseconds(),
		RetryDelay: node.Delay.Milliseconds(), Pokes: t.Pokes, Mark: clip(string(t.Mark), maxReason), Up: []neighbor{}, Down: []neighbor{},
	}
	if out.Run, err = s.viewRun(ctx, r); err != nil {
		return nil, err
	}
	if out.Rule == "" {
		out.Rule = flow.AllSuccess
	}
	if !t.State.Final() {
		if out.Wait, err = s.why(ctx, r.ID, t.ID); err != nil {
			return nil, err
		}
	}
	if out.Attempts, err = s.attempts(ctx, r, t); err != nil {
		return nil, err
	}
	if inGraph {
		out.Up, out.Down, err = s.neighbors(ctx, r, sk, i)
	} else {
		out.Up, out.Down, err = s.innerNeighbors(ctx, r, g, t.ID)
	}
	if err != nil {
		return nil, err
	}
	if serviceOf(r) == omics {
		out.Mark = "" // the attempt says it
	}
	args, err := s.c.Language.Arguments(ctx, r, g, t)
	if err != nil {
		return nil, err
	}
	out.Operator = args.Operator
	out.Definition, err = s.excerpt(ctx, r, sk.lines[t.ID], failed(t.State) && t.State != flow.Blocked, args)
	return out, err
}

// attempts lists the attempts of a task, the latest of which is t.
func (s *Console) attempts(ctx context.Context, r flow.Run, t flow.Task) ([]attemptView, error) {
	exits, err := s.c.Tasks.Exits(ctx, r.ID, t.ID)
	if err != nil {
		return nil, err
	}
	out := []attemptView{}
	for n := max(1, t.Attempt-maxAttempts+1); n <= t.Attempt; n++ {
		a := t
		if n != t.Attempt {
			a, err = s.c.Tasks.Instance(ctx, r.ID, t.ID, n)
			if flow.KindOf(err) == flow.NotFound && err != nil {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		v := attemptView{N: n, State: state(a.State), Reason: clip(a.Reason, maxReason), Started: millis(a.Started), Ended: millis(a.Ended)}
		if x, ok := exits[n]; ok {
			v.Exit = &exitView{x.Code, x.Signal, x.Why, x.CPU.Milliseconds(), x.Memory}
		}
		if v.Log, err = s.c.Logs.Size(ctx, r, t.ID, n); err != nil {
			return nil, err
		}
		if serviceOf(r) == omics {
			if v.Asked, err = s.asked(ctx, r, a); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// maxNeighbors bounds how many tasks are named on each side of one.
const maxNeighbors = 200

func (s *Console) neighbors(ctx context.Context, r flow.Run, sk *skeleton, i int) (up, down []neighbor, err error) {
	rows, err := s.c.Tasks.States(ctx, r.ID)
	if err != nil {
		return nil, nil, err
	}
	name := func(all []int) []neighbor {
		out := []neighbor{}
		for _, j := range all[:min(len(all), maxNeighbors)] {
			n := neighbor{sk.ids[j], state(flow.Waiting)}
			if j < len(rows) {
				n.State = state(rows[j])
			}
			out = append(out, n)
		}
		return out
	}
	return name(sk.ups[i]), name(sk.downs[i]), nil
}

// around is how many lines of a definition are shown before and after one.
const around = 4

// excerpt shows where a task is in its definition; of one that failed for an
// argument, where that is. It is nil if the version is gone.
func (s *Console) excerpt(ctx context.Context, r flow.Run, line int, bad bool, args Arguments) (*excerpt, error) {
	if line == 0 || r.Version == "" {
		return nil, nil
	}
	v, err := s.c.Workflows.Version(ctx, r.Workflow, r.Version)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &excerpt{Version: v.ID, Line: line}
	if bad && args.Arg != "" {
		for _, a := range args.Args {
			if a.Name == args.Arg && a.Line > 0 {
				out.Line, out.Arg = a.Line, a.Name
			}
		}
	}
	lines := strings.Split(v.Source, "\n")
	from, to := max(1, min(line, out.Line-around)), min(len(lines), max(out.Line+around, line+around))
	if out.Line-from > 4*around { // an argument far below the task's first line
		from = out.Line - around
	}
	if from > to {
		return nil, nil
	}
	out.First = from
	for _, l := range lines[from-1 : to] {
		out.Lines = append(out.Lines, clip(plain(strings.TrimSuffix(l, "\r")), 500))
	}
	return out, nil
}

// Arguments are what an attempt gives its operator.
type Arguments struct {
	// Operator is its import path, as written.
	Operator string     `json:"-"`
	Args     []Argument `json:"args"`
	// Error is why they could not be rendered, and Arg the one at fault where
	// that is known.
	Error string `json:"error"`
	Arg   string `json:"arg"`
}

// An Argument is one of them.
type Argument struct {
	Name     string          `json:"name"`
	Template json.RawMessage `json:"template"`
	Value    json.RawMessage `json:"value"`
	Line     int             `json:"line"`
	Rendered bool            `json:"rendered"`
}

// attemptOf reads which attempt a call names.
func attemptOf(c *call) (int, error) {
	n, err := strconv.Atoi(c.PathValue("attempt"))
	if err != nil || n < 0 || n > 1<<20 {
		return 0, flow.Errorf(flow.NotFound, "attempts are numbered; there is no attempt %q", clip(c.PathValue("attempt"), 50))
	}
	return n, nil
}

func (s *Console) getArguments(c *call) (any, error) {
	n, err := attemptOf(c)
	if err != nil {
		return nil, err
	}
	r, g, node, err := s.taskNode(c)
	if err != nil {
		return nil, err
	}
	t, err := s.c.Tasks.Instance(c.Context(), r.ID, node.ID, n)
	if flow.KindOf(err) == flow.NotFound && err != nil && n == 0 {
		t, err = flow.Task{ID: node.ID, Kind: node.Kind, State: flow.Waiting}, nil
	}
	if err != nil {
		return nil, err
	}
	out, err := s.c.Language.Arguments(c.Context(), r, g, t)
	if err != nil {
		return nil, err
	}
	out.Args = list(out.Args)
	for i := range out.Args {
		a := &out.Args[i]
		for _, raw := range []*json.RawMessage{&a.Template, &a.Value} {
			if *raw, err = s.maskJSON(c.Context(), r, *raw); err != nil {
				return nil, err
			}
			*raw, _ = bounded(*raw)
		}
	}
	return out, nil
}

type xcomView struct {
	Key string `json:"key"`
	// Text is JSON, as it is: numbers may have more digits than a page counts
	// with.
	Text  string `json:"text"`
	Bytes int    `json:"bytes"`
	Cut   bool   `json:"cut"`
}

type xcomsView struct {
	Values []xcomView `json:"values"`
	More   int        `json:"more"`
}

// Bounds of the XComs that a page is shown.
const (
	maxXComs  = 200
	maxShown  = 256 << 10 // bytes of one value
	shownPart = 16 << 10  // of one that is larger
)

// bounded returns JSON that may be shown: the first part of what is too large,
// as text.
func bounded(raw json.RawMessage) (_ json.RawMessage, cut bool) {
	if len(raw) <= maxShown {
		return raw, false
	}
	text, _ := json.Marshal(clip(string(raw), shownPart)) // a text always encodes
	return text, true
}

func (s *Console) getXCom(c *call) (any, error) {
	n, err := attemptOf(c)
	if err != nil {
		return nil, err
	}
	r, _, node, err := s.taskNode(c)
	if err != nil {
		return nil, err
	}
	t, err := s.c.Tasks.Instance(c.Context(), r.ID, node.ID, n)
	if err != nil {
		return nil, err
	}
	values, err := s.c.Tasks.Outputs(c.Context(), r.ID, t.ID, t.Attempt)
	if err != nil {
		return nil, err
	}
	if serviceOf(r) == omics {
		delete(values, keyUsage) // the attempt says it
	}
	out := xcomsView{Values: []xcomView{}, More: max(0, len(values)-maxXComs)}
	keys := sortedKeys(values)
	for _, k := range keys[:min(len(keys), maxXComs)] {
		v := xcomView{Key: clip(k, 1000), Bytes: len(values[k])}
		masked, err := s.maskJSON(c.Context(), r, values[k])
		if err != nil {
			return nil, err
		}
		text, cut := bounded(masked)
		v.Text, v.Cut = string(text), cut
		out.Values = append(out.Values, v)
	}
	return out, nil
}
