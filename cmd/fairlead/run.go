package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/conductor"
	"fairlead/internal/engine"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/mwaa"
)

func runCommand() *cobra.Command {
	opt := defaultOptions()
	opt.listen, opt.data = "127.0.0.1:0", ""
	var params []string
	var codePath string
	var watch bool
	var job wdlJob
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run one definition without a server",
		Long: `Runs a definition to its end and shows how it goes. A small S3 is there for it
and its state is thrown away afterwards, unless --data names a directory.
A document of WDL, FILE.wdl, takes its inputs from --inputs; its outputs are
printed as JSON, and their files stay in the directory that --dir names.
Exits with 0 when the run succeeds, 1 when it does not, 2 on wrong usage.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if isWDL(args[0]) {
				job.file = args[0]
				return runWDL(cmd, opt, job)
			}
			overrides, err := parseParams(params)
			if err != nil {
				return err
			}
			return runFile(cmd, opt, args[0], codePath, overrides, watch)
		},
	}
	serverFlags(cmd, &opt)
	f := cmd.Flags()
	f.StringArrayVarP(&params, "param", "p", nil, "override a parameter: key=value; the value is JSON if it reads as such, else text")
	f.StringVarP(&job.inputs, "inputs", "i", "", "WDL: a file with the inputs as JSON by full name, - for standard input, or the JSON itself")
	f.StringVar(&job.target, "target", "", "WDL: the workflow or task of the document to run (default the workflow, or the only task)")
	f.StringVar(&job.outputs, "outputs", "", "WDL: write the outputs into this file instead of standard output")
	f.StringVar(&job.dir, "dir", "", "WDL: directory for the files of the outputs (default the workflow's name and the time)")
	f.StringVar(&job.cache, "cache", "", "WDL: take what tasks would make from this directory if it is there, and keep what they make in it")
	f.BoolVar(&job.lenient, "lenient", false, "WDL: read it as HealthOmics does for the engine WDL_LENIENT")
	f.StringVar(&codePath, "code", "", codeHelp)
	f.BoolVar(&watch, "watch", false, "show the run as fairlead top does; where that is no terminal, what tasks print")
	f.StringVar((*string)(&opt.data), "data", "", "keep the state in this directory")
	return cmd
}

// borrowData gives a run without --data a directory that goes when it is
// forgotten.
func (o *options) borrowData() (forget func(), err error) {
	if o.data != "" {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "fairlead-run-")
	if err != nil {
		return nil, err
	}
	o.data, o.fleeting = dataDir(dir), true
	return func() { _ = os.RemoveAll(dir) }, nil
}

// parseParams turns key=value arguments into a JSON object.
func parseParams(args []string) (json.RawMessage, error) {
	if len(args) == 0 {
		return nil, nil
	}
	values := map[string]json.RawMessage{}
	for _, arg := range args {
		key, text, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, usagef("-p %q: expected key=value", arg)
		}
		value := json.RawMessage(text)
		if !json.Valid(value) {
			value, _ = json.Marshal(text) // a string always encodes
		}
		values[key] = value
	}
	return json.Marshal(values)
}

func runFile(cmd *cobra.Command, opt options, name, codePath string, params json.RawMessage, watch bool) error {
	src, err := readDefinition(name)
	if err != nil {
		return err
	}
	def, found := compiler{max: opt.limits.bytes("definition-bytes")}.compile(src, codePath != "")
	errOut := cmd.ErrOrStderr()
	if len(found) > 0 {
		if err := printDiagnostics(errOut, "text", []airflow.FileDiagnostics{{File: name, Source: src, Found: found}}); err != nil {
			return err
		}
	}
	for _, d := range found {
		if d.Severity == flow.Fault {
			hintCode(errOut, []airflow.FileDiagnostics{{Found: found}}, codePath)
			return exitError(1)
		}
	}
	forget, err := opt.borrowData()
	if err != nil {
		return err
	}
	defer forget()
	log, err := newLog(errOut, "text", slog.LevelInfo)
	if err != nil {
		return err
	}
	opt.log = log
	out, ok := cmd.OutOrStdout().(*os.File)
	if !ok {
		out = os.Stdout
	}
	live := watch && isTerminal(out) && isTerminal(os.Stdin)
	v := newView(out, watch, ownID)
	if live {
		v.close()
		v = newSilentView()
	}
	id := mwaa.NewRunID() // known before the server, which may take up other runs
	v.follow(id)
	ended, over := make(chan flow.Run, 1), make(chan struct{})
	opt.onStep = func(s engine.Step) {
		v.step(s)
		if s.Run.ID == id && s.Run.State.Final() {
			ended <- s.Run
			close(over)
		}
	}
	a, err := start(opt)
	if err != nil {
		return err
	}
	began := time.Now()
	r, err := a.runOnce(cmd.Context(), id, def, src, codePath, params)
	if err != nil {
		a.close()
		return err
	}
	var tail *tailer
	switch {
	case live:
		if err := watchLive(cmd.Context(), out, a.glance, id, over); err != nil {
			fmt.Fprintf(errOut, "the run cannot be watched: %v\n", err)
		}
		select {
		case <-over:
		default:
			fmt.Fprintln(out, "the run goes on; Ctrl-C stops it")
		}
	case watch:
		tail = a.tail(r, out)
	}
	final := a.await(cmd.Context(), r, ended)
	tail.close()
	v.close()
	_, tasks := v.snapshot()
	if live {
		printGlance(out, a, id)
	}
	a.showFailures(out, final, tasks)
	fmt.Fprintf(out, "run %s in %s\n", final.State, time.Since(began).Round(time.Millisecond))
	if err := a.close(); err != nil {
		return err
	}
	if final.State != flow.Succeeded {
		return exitError(1)
	}
	return nil
}

// runOnce keeps the definition as a workflow of one version and starts it.
func (a *app) runOnce(ctx context.Context, id flow.RunID, def flow.Definition, src []byte, codePath string, params json.RawMessage) (flow.Run, error) {
	now := time.Now()
	key, err := a.db.PutGraph(ctx, def.Graph)
	if err != nil {
		return flow.Run{}, err
	}
	w := flow.Workflow{ID: flow.WorkflowID(def.Name + "-" + string(mwaa.NewRunID())), Created: now, Modified: now}
	w.Name = string(w.ID)
	v := flow.Version{
		ID: flow.VersionID(strings.ReplaceAll(mwaa.NewRunKey(), "-", "")), Workflow: w.ID, Created: now,
		Source: string(src), Graph: key, MaxRuns: def.MaxRuns, Settings: json.RawMessage("{}"),
	}
	if codePath != "" {
		local, err := localCode(codePath)
		if err != nil {
			return flow.Run{}, err
		}
		if v.Code, err = a.shelf.Snapshot(ctx, local, "local", local.name, ""); err != nil {
			return flow.Run{}, err
		}
		v.CodeAt = now
	}
	if _, v, _, err = a.db.CreateWorkflow(ctx, w, v, flow.Token{}, 0); err != nil {
		return flow.Run{}, err
	}
	r := newRun(v, flow.OnDemand, now, now)
	r.ID, r.Params = id, params
	return a.conductor.Start(ctx, conductor.StartRequest{Run: r, MaxRuns: v.MaxRuns})
}

// await returns the run's end. An interrupt stops the run; a second one, or
// a stop that takes too long, ends the waiting.
func (a *app) await(ctx context.Context, r flow.Run, ended <-chan flow.Run) flow.Run {
	select {
	case final := <-ended:
		return final
	case <-ctx.Done():
	}
	fmt.Fprintln(os.Stderr, "stopping the run; press Ctrl-C again to let it go")
	again, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	limit, cancel := context.WithTimeout(again, 25*time.Second)
	defer cancel()
	row, err := a.conductor.Stop(limit, r.ID, "interrupt")
	if err != nil {
		return r
	}
	select {
	case row = <-ended:
	case <-limit.Done():
	}
	return row
}

// showFailures prints the end of the log of each task that failed.
func (a *app) showFailures(w io.Writer, r flow.Run, tasks []flow.Task) {
	const lines, most = 20, 5
	shown := 0
	for _, t := range tasks {
		if t.State != flow.Failed && t.State != flow.TimedOut {
			continue
		}
		if shown++; shown > most {
			fmt.Fprintln(w, "… and more tasks failed")
			return
		}
		fmt.Fprintf(w, "\n%s failed at attempt %d: %s\n", t.ID, t.Attempt, printable(t.Reason))
		for _, line := range a.lastLines(r, t.ID, t.Attempt, lines) {
			fmt.Fprintln(w, "  | "+line)
		}
	}
	if shown > 0 {
		fmt.Fprintln(w)
		if r.State == flow.Succeeded {
			fmt.Fprintln(w, "note: the run counts as a success, since its verdict looks at the last tasks only")
		}
	}
}

// A localPackage is a code package on this machine, in the form that the
// shelf copies from.
type localPackage struct {
	name string
	data []byte
}

func (p localPackage) Open(context.Context, string, string, string) (io.ReadCloser, int64, string, error) {
	return io.NopCloser(bytes.NewReader(p.data)), int64(len(p.data)), "", nil
}

// localCode reads a file, or packs a directory.
func localCode(path string) (localPackage, error) {
	info, err := os.Stat(path)
	if err != nil {
		return localPackage{}, err
	}
	if !info.IsDir() {
		data, err := os.ReadFile(path)
		return localPackage{filepath.Base(path), data}, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	skip := func(d fs.DirEntry) bool {
		return d.Name() == "__pycache__" || strings.HasPrefix(d.Name(), ".") && d.Name() != "."
	}
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skip(d) && file != path:
			return fs.SkipDir
		case !d.Type().IsRegular() || skip(d):
			return nil
		}
		rel, err := filepath.Rel(path, file)
		if err != nil {
			return err
		}
		out, err := z.Create(filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		_, err = out.Write(data)
		return err
	})
	if err != nil {
		return localPackage{}, err
	}
	if err := z.Close(); err != nil {
		return localPackage{}, err
	}
	return localPackage{"package.zip", b.Bytes()}, nil
}
