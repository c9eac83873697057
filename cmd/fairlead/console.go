package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"fairlead/internal/aws/page"
	"fairlead/internal/blob"
	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/logs"
	"fairlead/internal/mwaa"
	"fairlead/internal/omics"
	"fairlead/internal/operator"
	"fairlead/internal/ops"
	"fairlead/internal/store"
	"fairlead/internal/web"
)

// This file gives the console what it asks for, in the shapes that it
// declares.

func consoleCommand() *cobra.Command {
	data := defaultDataDir()
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Print a link that signs in to the console",
		Long: `Prints the address of the running server's console with a token that signs in
whoever opens it: good once, for ten minutes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := dataDir(data)
			var info serverInfo
			if err := d.read("server.json", &info); err != nil {
				return fmt.Errorf("no server runs on %s: %w", data, err)
			}
			key, err := d.credential()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), link(info, key))
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", data, "directory of the server")
	return cmd
}

// link is an address that signs in whoever opens it.
func link(info serverInfo, key credential) string {
	auth := web.Auth{AccessKey: key.AccessKey, SecretKey: key.SecretKey}
	return info.Endpoint + web.LinkPath(web.NewLink(auth, time.Now()))
}

// consoleLink is where the console is, for those who see what the server
// prints.
func (a *app) consoleLink() string {
	if a.opt.anonymous {
		return a.info.Endpoint + "/"
	}
	return link(a.info, a.key)
}

// console puts the console together. Whoever has the admin's key may sign in;
// tasks on the network of the host reach the port, so it is asked for
// everywhere.
func (a *app) console(ctx context.Context, tokens *page.Tokens) (*web.Console, error) {
	seal := make([]byte, 32)
	_, _ = rand.Read(seal) // never fails
	seal, err := a.db.PutSetting(ctx, "console-key", seal, true)
	if err != nil {
		return nil, err
	}
	compile := compiler{max: a.opt.limits.bytes("definition-bytes")}
	c := web.Config{
		Account: a.opt.account, Region: a.opt.region, ShowSkipped: a.opt.skipped, Version: version(),
		ReadOnly: a.opt.readOnly, Role: "arn:aws:iam::" + a.opt.account + ":role/fairlead", MaxDefinition: compile.max,
		Workflows: consoleWorkflows{a.db}, Runs: consoleRuns{a.db}, Omics: consoleOmics{a}, Logs: consoleLogs{a},
		Tasks:    consoleTasks{a.db, newHistories(a.db)},
		Language: consoleLanguage{compile, &airflow.Performer{Table: operator.Default(), XComs: a.db, Extras: a.opt.extras}},
		Actions:  &consoleActions{a: a}, Steering: consoleSteering{opsConductor{a}, a.db},
		Describe: describe, Mask: a.maskOf, Tokens: tokens, Log: a.opt.log,
		Next: func(s flow.Schedule, after time.Time) (time.Time, bool) {
			next, err := conductor.NextFire(&s, after)
			return next, err == nil && !next.IsZero()
		},
	}
	if a.opt.data != dataDir(defaultDataDir()) {
		c.Setup = `eval "$(fairlead env --data ` + string(a.opt.data) + `)"`
	}
	if c.Hosts = a.opt.hosts; !a.listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		c.Hosts = append(slices.Clip(c.Hosts), a.listener.Addr().(*net.TCPAddr).IP.String())
	}
	if !a.opt.anonymous {
		const ended = "console-ended"
		kept, err := a.db.PutSetting(ctx, ended, []byte("{}"), true)
		if err != nil {
			return nil, err
		}
		c.Auth = &web.Auth{
			AccessKey: a.key.AccessKey, SecretKey: a.key.SecretKey, Seal: seal, Ended: kept,
			Keep: func(ctx context.Context, text []byte) error {
				_, err := a.db.PutSetting(ctx, ended, text, false)
				return err
			},
		}
	}
	return web.New(c), nil
}

// maskJSON returns JSON without any of the secrets.
func (a *app) maskJSON(raw json.RawMessage) (json.RawMessage, error) {
	text, err := a.mask(string(raw))
	if err != nil {
		text = err.Error()
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return json.Marshal(text) // a number, or a name, was one
}

func describe(v flow.Version) (web.Settings, error) {
	r, err := mwaa.RuntimeOf(v)
	s := web.Settings{Description: r.Description, Role: r.RoleArn, TriggerMode: r.TriggerMode, LogGroup: r.LogGroup, Code: r.Code}
	if r.Bucket != "" {
		s.Location = "s3://" + r.Bucket + "/" + r.Key
	}
	return s, err
}

// consoleWorkflows is the store as the console sees it.
type consoleWorkflows struct{ *store.DB }

func (w consoleWorkflows) Workflows(ctx context.Context, p flow.Page) ([]web.Row, string, error) {
	rows, next, err := w.DB.Workflows(ctx, p)
	out := make([]web.Row, len(rows))
	for i, r := range rows {
		out[i] = web.Row{Workflow: r.Workflow, Latest: r.Latest}
	}
	return out, next, err
}

type consoleRuns struct{ *store.DB }

func (r consoleRuns) Days(ctx context.Context, wf flow.WorkflowID, from, to time.Time, offset time.Duration) ([]web.DayCount, error) {
	days, err := r.DB.Days(ctx, wf, from, to, offset)
	out := make([]web.DayCount, len(days))
	for i, d := range days {
		out[i] = web.DayCount(d)
	}
	return out, err
}

// consoleOmics is the runs of HealthOmics as the console sees them.
type consoleOmics struct{ a *app }

// OmicsRuns implements [web.Omics].
func (o consoleOmics) OmicsRuns(ctx context.Context, status string, p flow.Page) ([]web.OmicsRun, string, error) {
	var f flow.RecordFilter
	if status != "" {
		if f.States = omics.StatesOf(status); len(f.States) == 0 {
			return nil, "", nil
		}
	}
	rows, next, err := o.a.db.RecordedRuns(ctx, f, p)
	if err != nil {
		return nil, "", err
	}
	out := make([]web.OmicsRun, len(rows))
	for i, row := range rows {
		if out[i], err = o.shown(row); err != nil {
			return nil, "", err
		}
	}
	return out, next, nil
}

// OmicsRun implements [web.Omics].
func (o consoleOmics) OmicsRun(ctx context.Context, r flow.Run) (web.OmicsRun, error) {
	row, err := o.a.db.Recorded(ctx, r.ID)
	if err != nil {
		return web.OmicsRun{}, err
	}
	return o.shown(row)
}

func (o consoleOmics) shown(row flow.Recorded) (web.OmicsRun, error) {
	s, err := omics.SettingsOf(row.Record)
	return web.OmicsRun{
		Run: row.Run, Name: row.Record.Name, WorkflowName: s.WorkflowName, Status: omics.StatusOf(row.Run.State), OutputURI: s.OutputURI, Role: s.RoleARN,
	}, err
}

// omicsWorkflow is what the door answers of a workflow.
type omicsWorkflow struct {
	ID, Name, Status, Description, StatusMessage, Engine, Main, Readme string
	CreationTime                                                       time.Time
	ParameterTemplate                                                  map[string]web.OmicsParameter
}

func (w omicsWorkflow) view() web.OmicsWorkflow {
	return web.OmicsWorkflow{
		ID: w.ID, Name: w.Name, Status: w.Status, Created: w.CreationTime, Description: w.Description, Message: w.StatusMessage,
		Engine: w.Engine, Main: w.Main, Template: w.ParameterTemplate,
	}
}

// OmicsWorkflows implements [web.Omics] as a client would.
func (o consoleOmics) OmicsWorkflows(ctx context.Context, p flow.Page) ([]web.OmicsWorkflow, string, error) {
	q := url.Values{"maxResults": {strconv.Itoa(p.Limit)}}
	if p.After != "" {
		q.Set("startingToken", p.After)
	}
	var out struct {
		Items     []omicsWorkflow
		NextToken string
	}
	c := consoleActions{a: o.a}
	if err := c.get(ctx, omics.Service, "/workflow?"+q.Encode(), &out); err != nil {
		return nil, "", err
	}
	all := make([]web.OmicsWorkflow, len(out.Items))
	for i, w := range out.Items {
		all[i] = w.view()
	}
	return all, out.NextToken, nil
}

// maxReadme bounds the README of a workflow that the console shows.
const maxReadme = 512 << 10

// OmicsWorkflow implements [web.Omics] as a client would, which fetches the
// README at the URL that it is given.
func (o consoleOmics) OmicsWorkflow(ctx context.Context, id string) (web.OmicsWorkflow, error) {
	var w omicsWorkflow
	c := consoleActions{a: o.a}
	if err := c.get(ctx, omics.Service, "/workflow/"+url.PathEscape(id)+"?export=README", &w); err != nil {
		return web.OmicsWorkflow{}, err
	}
	out := w.view()
	if w.Readme == "" {
		return out, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Readme, nil)
	if err != nil {
		return out, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return out, fmt.Errorf("README of workflow %s: %w", id, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReadme))
	if err != nil || resp.StatusCode != http.StatusOK {
		return out, fmt.Errorf("README of workflow %s: %s: %w", id, resp.Status, err)
	}
	out.Readme = string(text)
	return out, nil
}

// Repeat implements [web.Omics] as a client would, by StartRun with a runId.
func (o consoleOmics) Repeat(ctx context.Context, like flow.Run, with web.OmicsRepeat) (flow.Run, error) {
	old, err := o.OmicsRun(ctx, like)
	if err != nil {
		return flow.Run{}, err
	}
	in := given(map[string]any{
		"runId": string(like.ID), "roleArn": old.Role, "outputUri": cmp.Or(with.OutputURI, old.OutputURI), "name": with.Name,
		"requestId": cmp.Or(with.Token, rand.Text()),
	})
	if with.Params != nil {
		in["parameters"] = with.Params
	}
	var out struct{ ID flow.RunID }
	c := consoleActions{a: o.a}
	if err := c.post(ctx, omics.Service, "/run", "", in, &out); err != nil {
		return flow.Run{}, err
	}
	return o.a.db.RunByID(ctx, out.ID)
}

type consoleTasks struct {
	*store.DB
	histories *histories
}

func (t consoleTasks) Timeline(ctx context.Context, r flow.Run, after int64) ([]web.TaskSpans, int64, error) {
	return t.histories.timeline(ctx, r, after)
}

// maxJournalReads bounds how many pages of a journal one request goes
// through for something to tell.
const maxJournalReads = 20

// Journal implements [web.Tasks], in the words of the scheduler's log.
func (t consoleTasks) Journal(ctx context.Context, r flow.Run, asked bool, p flow.Page) ([]web.Told, string, error) {
	if asked {
		p.Limit = 1000 // few entries are what somebody asked for
	}
	var all []web.Told
	for read := 1; ; read++ {
		entries, next, err := t.DB.Journal(ctx, r.ID, p)
		if err != nil {
			return nil, "", err
		}
		for _, e := range entries {
			if told := tell(e); len(told.Lines) > 0 && (!asked || told.By != "") {
				all = append(all, told)
			}
		}
		if p.After = next; next == "" || len(all) > 0 || read == maxJournalReads {
			return all, next, nil
		}
	}
}

// tell says in words what an entry of a journal did, and who asked for it.
func tell(e flow.Entry) web.Told {
	told := web.Told{Rev: e.Seq, At: e.At, By: asker(e)}
	e.Detail = nil // who asked has a place of their own
	switch e.What {
	case "hold":
		told.Lines = append(told.Lines, web.ToldLine{Text: "the run is paused: what runs goes on, nothing begins"})
	case "release":
		told.Lines = append(told.Lines, web.ToldLine{Text: "the run is resumed"})
	case "mark":
		told.Lines = append(told.Lines, web.ToldLine{Task: e.Task, Text: "is marked by hand"})
	}
	for i := range e.Moves {
		m := &e.Moves[i]
		l := web.ToldLine{Task: m.Task, State: m.State}
		if l.Text = strings.TrimPrefix(ofTask(e, m), string(m.Task)+": "); m.Task == "" {
			l.Text = ofRun(e, m)
		}
		told.Lines = append(told.Lines, l)
	}
	return told
}

// Exits implements [web.Tasks] with the journal, which has what attempts were
// reported to end with.
func (t consoleTasks) Exits(ctx context.Context, run flow.RunID, task flow.TaskID) (map[int]flow.Exit, error) {
	entries, err := t.TaskJournal(ctx, run, task)
	if err != nil {
		return nil, err
	}
	exits := map[int]flow.Exit{}
	for _, e := range entries {
		ev, err := engine.EventOf(e)
		if err != nil {
			return nil, err
		}
		if end, ok := ev.What.(engine.Ended); ok && end.Exit != nil {
			exits[end.Attempt] = *end.Exit
		}
	}
	return exits, nil
}

// consoleLogs is the logs as the console sees them.
type consoleLogs struct{ a *app }

func (l consoleLogs) Log(ctx context.Context, r flow.Run, task flow.TaskID, attempt int, want flow.LogRange) (flow.LogPage, error) {
	return l.a.readLog(ctx, r, task, attempt, want)
}

// Size implements [web.Logs].
func (l consoleLogs) Size(ctx context.Context, r flow.Run, task flow.TaskID, attempt int) (int64, error) {
	group, stream, err := l.a.logOf(ctx, r, task, attempt)
	if err != nil {
		return 0, err
	}
	n, err := l.a.logs.Size(group, stream)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return -1, nil
	}
	return n, err
}

// Begin implements [web.Logs].
func (l consoleLogs) Begin(ctx context.Context, r flow.Run, task flow.TaskID, attempt int, at int64) (int64, error) {
	group, stream, err := l.a.logOf(ctx, r, task, attempt)
	if err != nil {
		return 0, err
	}
	n, err := l.a.logs.Begin(group, stream, at)
	if flow.KindOf(err) == flow.NotFound && err != nil {
		return 0, nil // it may still begin
	}
	return n, err
}

// Scan implements [web.Logs].
func (l consoleLogs) Scan(ctx context.Context, r flow.Run, task flow.TaskID, attempt int, s web.Scan) ([]int64, int64, bool, error) {
	group, stream, err := l.a.logOf(ctx, r, task, attempt)
	if err != nil {
		return nil, 0, false, err
	}
	found, err := l.a.logs.Search(ctx, group, stream, logs.Search(s))
	return found.At, found.Next, found.Over, err
}

// consoleLanguage is the YAML dialect as the console sees it. Of graphs of
// other languages it knows nothing.
type consoleLanguage struct {
	compiler  compiler
	performer *airflow.Performer
}

// Compile implements [web.Language].
func (l consoleLanguage) Compile(source string, code bool) (flow.Definition, []flow.Diagnostic) {
	return l.compiler.compile([]byte(source), code)
}

// Params implements [web.Language].
func (l consoleLanguage) Params(g *flow.Graph) ([]web.Param, error) {
	if g.Language != "" {
		return nil, nil
	}
	x, err := airflow.Explain(flow.Definition{Graph: flow.Graph{Meta: g.Meta}}, nil, nil, nil)
	params := make([]web.Param, len(x.Params))
	for i, p := range x.Params {
		params[i] = web.Param{Name: p.Name, Default: p.Default, Required: p.Required, Type: p.Type, Schema: p.Schema}
	}
	return params, err
}

// CheckParams implements [web.Language].
func (l consoleLanguage) CheckParams(g *flow.Graph, given json.RawMessage) ([]flow.Field, error) {
	if g.Language != "" {
		return nil, nil
	}
	var meta airflow.Meta
	if err := json.Unmarshal(g.Meta, &meta); err != nil {
		return nil, fmt.Errorf("meta of a graph: %w", err)
	}
	_, err := airflow.MergeParams(meta, airflow.Action{}, given)
	if err == nil || flow.KindOf(err) != flow.Invalid {
		return nil, err
	}
	const before = "Invalid input for param "
	var faults []flow.Field
	for part := range strings.SplitSeq("\n"+err.Error(), "\n"+before) {
		if name, text, ok := strings.Cut(part, ": "); ok {
			faults = append(faults, flow.Field{Name: name, Message: text})
		}
	}
	if len(faults) == 0 {
		return nil, err
	}
	return faults, nil
}

// Lines implements [web.Language].
func (l consoleLanguage) Lines(g *flow.Graph) (map[flow.TaskID]int, error) {
	lines := make(map[flow.TaskID]int, len(g.Nodes))
	if g.Language != "" {
		return lines, nil
	}
	for _, n := range g.Nodes {
		var at struct{ Line int }
		if err := json.Unmarshal(n.Action, &at); err != nil {
			return nil, fmt.Errorf("action of task %s: %w", n.ID, err)
		}
		if at.Line > 0 {
			lines[n.ID] = at.Line
		}
	}
	return lines, nil
}

// Words implements [web.Language].
func (l consoleLanguage) Words(expr string) string { return airflow.ScheduleWords(expr) }

// Arguments implements [web.Language]. Each argument is rendered by itself, so
// that one that cannot be does not hide the others.
func (l consoleLanguage) Arguments(ctx context.Context, r flow.Run, g *flow.Graph, t flow.Task) (web.Arguments, error) {
	var out web.Arguments
	for i := range g.Nodes {
		if g.Nodes[i].ID != t.ID || g.Language != "" {
			continue
		}
		node := g.Nodes[i]
		var action airflow.Action
		if err := json.Unmarshal(node.Action, &action); err != nil {
			return out, fmt.Errorf("action of task %s: %w", t.ID, err)
		}
		out.Operator = action.Operator
		for _, name := range slices.Sorted(maps.Keys(action.Args)) {
			one := action
			one.Args = map[string]json.RawMessage{name: action.Args[name]}
			var err error
			if node.Action, err = json.Marshal(one); err != nil {
				return out, err
			}
			arg := web.Argument{Name: name, Template: action.Args[name], Value: json.RawMessage("null"), Line: action.ArgLines[name]}
			values, failed, err := l.performer.Arguments(ctx, lang.Attempt{Run: r, Graph: g, Node: &node, Task: t})
			switch {
			case err != nil:
				return out, err
			case failed != nil && out.Error == "":
				out.Error, out.Arg = failed.Reason, name
			case failed == nil:
				arg.Value = values[name]
				arg.Rendered = string(arg.Value) != string(arg.Template)
			}
			out.Args = append(out.Args, arg)
		}
	}
	return out, nil
}

// consoleSteering is pauses, backfills and waits as the console sees them.
type consoleSteering struct {
	opsConductor
	db *store.DB
}

// Pauses implements [web.Steering].
func (s consoleSteering) Pauses(ctx context.Context) ([]flow.Pause, error) { return s.db.Pauses(ctx) }

// Backfill implements [web.Steering].
func (s consoleSteering) Backfill(ctx context.Context, wf flow.WorkflowID, from, to time.Time, dry bool, by string) ([]web.Slot, error) {
	slots, err := s.opsConductor.Backfill(ctx, wf, from, to, dry, by)
	out := make([]web.Slot, len(slots))
	for i, sl := range slots {
		out[i] = web.Slot(sl)
	}
	return out, err
}

// Waits implements [web.Steering].
func (s consoleSteering) Waits(ctx context.Context, run flow.RunID, limit int) (flow.Wait, []web.TaskWait, int, error) {
	w, tasks, more, err := s.opsConductor.Waits(ctx, run, limit)
	out := make([]web.TaskWait, len(tasks))
	for i, t := range tasks {
		out[i] = web.TaskWait(t)
	}
	return w, out, more, err
}

// consoleActions carries out what the console is asked to do: what the API has
// an operation for through the API, and the rest as the operator's door does.
type consoleActions struct {
	a *app
	// updating is held from the look at the latest version to the update.
	updating sync.Mutex
}

// Stop implements [web.Actions].
func (c *consoleActions) Stop(ctx context.Context, r flow.Run, by string) (flow.Run, error) {
	return c.a.stopRun(ctx, r.ID, by)
}

// Clear implements [web.Actions].
func (c *consoleActions) Clear(ctx context.Context, run flow.RunID, what web.Clear, by string) (flow.Run, error) {
	return opsConductor{c.a}.Clear(ctx, run, ops.Clear(what), by)
}

// Mark implements [web.Actions].
func (c *consoleActions) Mark(ctx context.Context, run flow.RunID, task flow.TaskID, s flow.State, by string) (flow.Run, error) {
	return opsConductor{c.a}.Mark(ctx, run, task, s, by)
}

// Rerun implements [web.Actions].
func (c *consoleActions) Rerun(ctx context.Context, like flow.Run, params json.RawMessage, latest bool, token, by string) (flow.Run, error) {
	return opsConductor{c.a}.Rerun(ctx, like, params, latest, token, by)
}

// call has this server's own door carry out an operation, as a client would.
func (c *consoleActions) call(ctx context.Context, operation string, in map[string]any, out any) error {
	return c.post(ctx, mwaa.Service, "", "AmazonMWAAServerless."+operation, in, out)
}

// post has one of this server's own doors carry out an operation, which the
// target names, or else the path.
func (c *consoleActions) post(ctx context.Context, service, path, target string, in map[string]any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.send(ctx, http.MethodPost, service, path, target, body, out)
}

// get has one of them answer what a path names.
func (c *consoleActions) get(ctx context.Context, service, path string, out any) error {
	return c.send(ctx, http.MethodGet, service, path, "", nil, out)
}

func (c *consoleActions) send(ctx context.Context, method, service, path, target string, body []byte, out any) error {
	operation := cmp.Or(target[strings.LastIndexByte(target, '.')+1:], path)
	req, err := http.NewRequestWithContext(ctx, method, c.a.inner+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if target != "" {
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		req.Header.Set("X-Amz-Target", target)
	}
	sum := sha256.Sum256(body)
	keys := aws.Credentials{AccessKeyID: c.a.key.AccessKey, SecretAccessKey: c.a.key.SecretKey}
	if err := v4.NewSigner().SignHTTP(ctx, keys, req, hex.EncodeToString(sum[:]), service, c.a.opt.region, time.Now()); err != nil {
		return fmt.Errorf("sign %s: %w", operation, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if resp.StatusCode/100 != 2 {
		return refused(operation, resp.Header.Get("X-Amzn-Errortype"), data)
	}
	return json.Unmarshal(data, out)
}

// refused is the error in the door's answer, whose class may be in a header.
func refused(operation, class string, data []byte) error {
	var e struct {
		Type      string `json:"__type"`
		Message   string
		FieldList []struct{ Name, Message string }
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	class = cmp.Or(e.Type[strings.LastIndexByte(e.Type, '#')+1:], class)
	kind, known := kindOfClass(class)
	if !known {
		return fmt.Errorf("%s: %s: %s", operation, class, e.Message)
	}
	err := flow.Errorf(kind, "%s", e.Message)
	for _, f := range e.FieldList {
		err = err.At(f.Name, f.Message)
	}
	return err
}

func kindOfClass(class string) (flow.Kind, bool) {
	kind, known := map[string]flow.Kind{
		"ValidationException": flow.Invalid, "ResourceNotFoundException": flow.NotFound, "ConflictException": flow.Conflict,
		"ServiceQuotaExceededException": flow.Quota, "ThrottlingException": flow.Throttled, "AccessDeniedException": flow.Denied,
		"OperationTimeoutException": flow.Busy, "AccessDenied": flow.Denied, "NoSuchBucket": flow.NotFound, "InvalidBucketName": flow.Invalid,
	}[class]
	return kind, known
}

func (c *consoleActions) config() aws.Config {
	return aws.Config{
		Region: c.a.opt.region, BaseEndpoint: aws.String(c.a.inner), HTTPClient: http.DefaultClient,
		Credentials: credentials.NewStaticCredentialsProvider(c.a.key.AccessKey, c.a.key.SecretKey, ""),
	}
}

func (c *consoleActions) arn(wf flow.WorkflowID) string { return c.a.door.ARN(wf) }

// stored is what the door answers of a version that it has made.
type stored struct {
	WorkflowArn     string
	WorkflowVersion flow.VersionID
	Warnings        []string
}

func (s stored) view() web.Stored {
	_, id, _ := strings.Cut(s.WorkflowArn, "workflow/")
	return web.Stored{Workflow: flow.WorkflowID(id), Version: s.WorkflowVersion, Warnings: s.Warnings}
}

func location(bucket, key string) map[string]string {
	return map[string]string{"Bucket": bucket, "ObjectKey": key}
}

// given leaves out the members that say nothing.
func given(in map[string]any) map[string]any {
	maps.DeleteFunc(in, func(_ string, v any) bool { return v == "" })
	return in
}

// Start implements [web.Actions].
func (c *consoleActions) Start(ctx context.Context, r web.StartRequest) (flow.Run, error) {
	in := given(map[string]any{"WorkflowArn": c.arn(r.Workflow), "WorkflowVersion": string(r.Version), "ClientToken": r.Token})
	if r.Params != nil {
		in["OverrideParameters"] = r.Params
	}
	var out struct{ RunId flow.RunID }
	if err := c.call(ctx, "StartWorkflowRun", in, &out); err != nil {
		return flow.Run{}, err
	}
	return c.a.db.RunByID(ctx, out.RunId)
}

// definitionsBucket is where definitions are kept that come from the editor.
const definitionsBucket = "fairlead-definitions"

// Create implements [web.Actions].
func (c *consoleActions) Create(ctx context.Context, e web.Edit) (web.Stored, error) {
	if _, err := c.a.db.WorkflowByName(ctx, e.Name); err == nil {
		return web.Stored{}, flow.Errorf(flow.Conflict, "a workflow named %q exists: open it to update it, or choose another name", e.Name).At("name", "is taken")
	}
	if err := c.checked(e.Source, e.Code != ""); err != nil {
		return web.Stored{}, err
	}
	key := e.Name + ".yaml"
	if err := c.put(ctx, definitionsBucket, key, e.Source, true); err != nil {
		return web.Stored{}, err
	}
	in := given(map[string]any{
		"Name": e.Name, "RoleArn": e.Role, "Description": e.Description, "ClientToken": e.Token,
		"DefinitionS3Location": location(definitionsBucket, key),
	})
	if len(e.Tags) > 0 {
		in["Tags"] = e.Tags
	}
	if e.Code != "" {
		bucket, object, err := blob.ParseURL(e.Code)
		if err != nil {
			return web.Stored{}, flow.Errorf(flow.Invalid, "code: %w", err).At("code", err.Error())
		}
		in["Code"] = map[string]any{"S3Location": location(bucket, object)}
	}
	var out stored
	err := c.call(ctx, "CreateWorkflow", in, &out)
	return out.view(), err
}

// checked refuses a text that would not compile before it is stored.
func (c *consoleActions) checked(source string, code bool) error {
	_, found := compiler{max: c.a.opt.limits.bytes("definition-bytes")}.compile([]byte(source), code)
	var bad *flow.Error
	for _, f := range found {
		if f.Severity != flow.Fault {
			continue
		}
		if bad == nil {
			bad = flow.Errorf(flow.Invalid, "the definition is refused: %s", f)
		}
		bad = bad.At(cmp.Or(f.Path, "source"), f.String())
	}
	if bad == nil {
		return nil
	}
	return bad
}

// Update implements [web.Actions].
func (c *consoleActions) Update(ctx context.Context, w flow.Workflow, base flow.Version, source string) (web.Stored, error) {
	c.updating.Lock()
	defer c.updating.Unlock()
	now, err := c.a.db.Workflow(ctx, w.ID)
	if err != nil {
		return web.Stored{}, err
	}
	if now.Latest != base.ID {
		return web.Stored{}, flow.Errorf(flow.Conflict, "somebody has just updated %s: compare, and save again", w.Name)
	}
	set, err := mwaa.RuntimeOf(base)
	if err != nil {
		return web.Stored{}, err
	}
	if err := c.checked(source, set.Code != ""); err != nil {
		return web.Stored{}, err
	}
	if err := c.put(ctx, set.Bucket, set.Key, source, set.Bucket == definitionsBucket); err != nil {
		return web.Stored{}, err
	}
	var out stored
	err = c.call(ctx, "UpdateWorkflow", map[string]any{
		"WorkflowArn": c.arn(w.ID), "RoleArn": set.RoleArn, "DefinitionS3Location": location(set.Bucket, set.Key),
	}, &out)
	return out.view(), err
}

// Delete implements [web.Actions].
func (c *consoleActions) Delete(ctx context.Context, wf flow.WorkflowID, v flow.VersionID) error {
	var out stored
	return c.call(ctx, "DeleteWorkflow", given(map[string]any{"WorkflowArn": c.arn(wf), "WorkflowVersion": string(v)}), &out)
}

// put stores a definition where the API will read it: in the built-in S3, or
// in the one outside.
func (c *consoleActions) put(ctx context.Context, bucket, key, source string, make bool) error {
	conf := c.config()
	if outside := c.a.opt.s3; outside != "" {
		var err error
		conf, err = config.LoadDefaultConfig(ctx, config.WithHTTPClient(awshttp.NewBuildableClient()), config.WithRegion(c.a.opt.region))
		if err != nil {
			return fmt.Errorf("configure the client of S3: %w", err)
		}
		conf.BaseEndpoint = &outside
	}
	client := awss3.NewFromConfig(conf, func(o *awss3.Options) { o.UsePathStyle = true })
	store := func() error {
		_, err := client.PutObject(ctx, &awss3.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: strings.NewReader(source), ContentType: aws.String("application/yaml"),
		})
		return err
	}
	err := store()
	if failed, ok := errors.AsType[smithy.APIError](err); ok && failed.ErrorCode() == "NoSuchBucket" && make {
		if _, err := client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &bucket}); err != nil && !exists(err) {
			return fmt.Errorf("make the bucket %s: %w", bucket, readable(err))
		}
		err = store()
	}
	if err != nil {
		err = readable(err)
		if kind := flow.KindOf(err); kind != flow.Internal {
			return flow.Errorf(kind, "the definition could not be stored as s3://%s/%s: %w", bucket, key, err)
		}
		return fmt.Errorf("store s3://%s/%s: %w", bucket, key, err)
	}
	return nil
}

// readable turns an error of S3 into one whose text a page may show.
func readable(err error) error {
	if failed, ok := errors.AsType[smithy.APIError](err); ok {
		if kind, known := kindOfClass(failed.ErrorCode()); known {
			return flow.Errorf(kind, "%s", failed.ErrorMessage())
		}
	}
	return err
}
