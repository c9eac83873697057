package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/engine"
	"fairlead/internal/exec"
	"fairlead/internal/exec/container"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
	"fairlead/internal/lang/wdl"
	"fairlead/internal/mwaa"
	"fairlead/internal/omics"
)

// performers carry out tasks, each those of its language.
type performers struct {
	watched
	wdl *wdl.Performer
}

// Perform implements conductor.Performer.
func (p performers) Perform(ctx context.Context, a lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	if a.Graph.Language == wdl.Language {
		return p.wdl.Perform(ctx, a, tell)
	}
	return p.watched.Perform(ctx, a, tell)
}

// Forget implements conductor.Performer.
func (p performers) Forget(a lang.Attempt) {
	if a.Graph.Language == wdl.Language {
		p.wdl.Forget(a)
		return
	}
	p.watched.Forget(a)
}

// wdlPerformer puts together what carries out tasks of WDL.
func (a *app) wdlPerformer() (*wdl.Performer, error) {
	dir, err := filepath.Abs(a.opt.data.path("runs"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	cpus, memory := machineSize()
	gpus, without, err := a.opt.gpus()
	if err != nil {
		return nil, err
	}
	site := &runSite{a, dir}
	a.runs = newOmicsEngine(a, site)
	var identify func(context.Context, exec.Spec) (string, error)
	if d, ok := a.driver.(interface {
		Identify(ctx context.Context, spec exec.Spec) (string, error)
	}); ok {
		identify = d.Identify
	}
	var digest func(context.Context, exec.Spec) (string, error)
	if d, ok := a.driver.(*container.Driver); ok {
		digest = d.Digest
	}
	a.runs.performer = &wdl.Performer{
		Driver: metered{a.driver, a.meter}, Values: a.db, Site: site, Share: a.runs.share, Room: wdl.NewRoom(cpus, memory, len(gpus)), Grace: 10 * time.Second,
		Limits: exec.Limits{PIDs: 4096, Files: 4096, Disk: a.opt.disk, Output: 256 << 20},
		Images: a.opt.driver == "container", Publish: a.publish, Cache: a.runs, Identify: identify,
		Env: func(r flow.Run, t flow.Task) []string {
			return a.taskEnvironment(r, t)
		},
		Image: a.runs.image, Digest: digest,
		Mounts: a.mounts, GPUs: gpus, WithoutGPUs: without,
	}
	return a.runs.performer, nil
}

// mounts says whether tasks see what they are shown, and nothing else of this
// machine.
func (a *app) mounts(ctx context.Context) (bool, error) {
	report, err := a.driver.Probe(ctx)
	return report.Has("mount namespace"), err
}

// copyTree makes a file or directory appear at another place, each of its files
// by what place does. Links in it lead elsewhere, and are left out.
func copyTree(from, to string, place func(from, to string) error) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		switch at := filepath.Join(to, rel); {
		case d.IsDir():
			return os.MkdirAll(at, 0o755)
		case d.Type().IsRegular():
			return place(name, at)
		}
		return nil
	})
}

// linkFile makes a file appear at another place for reading: by a link where
// that is possible.
func linkFile(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	return copyFile(from, to)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// A wdlJob is what "fairlead run main.wdl" is asked for.
type wdlJob struct {
	file, inputs, target, outputs, dir string
	base                               string // that paths in the inputs are relative to; empty: where they are written
	lenient                            bool
	cache                              string // a directory; empty: none
}

// runWDL runs a document to its end. What it prints is the outputs alone; how
// it goes is for whoever watches.
func runWDL(cmd *cobra.Command, opt options, job wdlJob) error {
	errOut := cmd.ErrOrStderr()
	doc, def, err := prepareWDL(errOut, job)
	if err != nil {
		return err
	}
	inputs, err := readInputs(job.inputs)
	if err != nil {
		return err
	}
	if inputs, err = bindWDL(doc, inputs, job); err != nil {
		fmt.Fprintln(errOut, "fairlead:", strings.ReplaceAll(err.Error(), "\n", "\nfairlead: "))
		return exitError(1)
	}
	forget, err := opt.borrowData()
	if err != nil {
		return err
	}
	defer forget()
	if opt.log, err = newLog(errOut, "text", slog.LevelWarn); err != nil {
		return err
	}
	screen, ok := errOut.(*os.File)
	if !ok {
		screen = os.Stderr
	}
	id := mwaa.NewRunID()
	place := cmp.Or(job.dir, fmt.Sprintf("%s-%s", def.Name, time.Now().Format("20060102-150405")))
	opt.localFiles, opt.beside = true, filepath.Dir(job.file)
	if job.cache != "" {
		if opt.cache, err = filepath.Abs(job.cache); err != nil {
			return err
		}
	}
	opt.publish = func(_ context.Context, _ flow.Run, v wdl.Value) (wdl.Value, error) { return keepOutputs(place, v) }
	v := newView(screen, false, wdlLabel(doc, &def.Graph))
	v.follow(id)
	ended := make(chan flow.Run, 1)
	opt.onStep = func(s engine.Step) {
		v.step(s)
		if s.Run.ID == id && s.Run.State.Final() {
			ended <- s.Run
		}
	}
	a, err := start(opt)
	if err != nil {
		return err
	}
	r, err := a.runOnce(cmd.Context(), id, def, []byte(doc.Source.Text), "", inputs)
	if err != nil {
		a.close()
		return err
	}
	final := a.await(cmd.Context(), r, ended)
	v.close()
	if err := a.runs.fillCache(context.WithoutCancel(cmd.Context()), final); err != nil {
		fmt.Fprintln(errOut, "fairlead: not all outputs of tasks could be put into the cache:", printable(err.Error()))
	}
	if job.cache != "" {
		a.sayCached(errOut, &def.Graph, final)
	}
	if final.State != flow.Succeeded {
		a.explainWDL(errOut, doc, final)
		kept := a.keepFinished(cmd.Context(), errOut, final, place)
		if err := errors.Join(kept, a.close()); err != nil {
			return err
		}
		return exitError(1)
	}
	text, err := a.outputsWDL(cmd.Context(), final, def.Name)
	if err := errors.Join(err, a.close()); err != nil {
		return err
	}
	if job.outputs != "" {
		return os.WriteFile(job.outputs, text, 0o644)
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

// sayCached says how many tasks of a run have been taken from its cache.
func (a *app) sayCached(w io.Writer, g *flow.Graph, r flow.Run) {
	tasks, err := a.db.Tasks(context.Background(), r.ID)
	if err != nil {
		return // it is but a word on the side
	}
	usages, err := a.db.OutputsBetween(context.Background(), r.ID, 0, len(tasks), wdl.KeyUsage)
	if err != nil {
		return
	}
	command := wdl.Commands(g)
	hits, all := 0, 0
	for _, t := range tasks {
		if t.Attempt > 0 && command(t.ID) {
			all++
		}
	}
	for _, o := range usages {
		var u wdl.Usage
		if json.Unmarshal(o.Value, &u) == nil && u.CacheHit {
			hits++
		}
	}
	fmt.Fprintf(w, "%d of %d tasks taken from the cache\n", hits, all)
}

// prepareWDL compiles what is to be run.
func prepareWDL(errOut io.Writer, job wdlJob) (*wdl.Document, flow.Definition, error) {
	o := wdl.Options{Lenient: job.lenient}
	doc, found, err := loadWDL(job.file, o)
	if err != nil {
		return nil, flow.Definition{}, err
	}
	var def flow.Definition
	dir := ""
	if !wdl.Refused(found) {
		dir = doc.Shorten()
		if doc, found = wdl.Target(doc, job.target, o); len(found) == 0 {
			def, found = wdl.Compile(doc, o)
		}
	}
	if wdl.Refused(found) {
		if err := printDiagnostics(errOut, "text", checkedWDL(doc, dir, job.file, found)); err != nil {
			return nil, def, err
		}
		return nil, def, exitError(1)
	}
	return doc, def, nil
}

// readInputs returns the text of an inputs file; "-" is standard input, and
// what begins with a brace is the JSON itself.
func readInputs(name string) ([]byte, error) {
	switch {
	case name == "":
		return []byte("{}"), nil
	case strings.HasPrefix(strings.TrimSpace(name), "{"):
		return []byte(name), nil
	}
	return readDefinition(name)
}

// bindWDL checks a run's inputs and makes the paths in them absolute: those of
// a file of inputs are relative to where it is.
func bindWDL(doc *wdl.Document, inputs []byte, job wdlJob) (json.RawMessage, error) {
	values, err := wdl.Bind(doc, inputs, job.lenient)
	if err != nil {
		return nil, err
	}
	base := cmp.Or(job.base, ".")
	if job.base == "" && job.inputs != "" && job.inputs != "-" && !strings.HasPrefix(strings.TrimSpace(job.inputs), "{") {
		base = filepath.Dir(job.inputs)
	}
	out := map[string]json.RawMessage{}
	for name, v := range values {
		v, err := wdl.Paths(v, func(p wdl.Path) (wdl.Value, error) {
			if strings.Contains(p.Name, "://") || filepath.IsAbs(p.Name) {
				return p, nil
			}
			at := filepath.Join(base, p.Name)
			if _, err := os.Stat(at); err != nil {
				if _, err := os.Stat(p.Name); err == nil { // as other engines have it
					at = p.Name
				}
			}
			abs, err := filepath.Abs(at)
			return wdl.Path{Name: abs, Dir: p.Dir}, err
		})
		if err != nil {
			return nil, err
		}
		if out[name], err = wdl.AppendJSON(nil, v); err != nil {
			return nil, err
		}
	}
	return json.Marshal(out)
}

// keepOutputs copies the files of outputs to where they stay: out/NAME/FILE in
// a directory, and out/NAME/0/FILE and so on of arrays.
func keepOutputs(dir string, v wdl.Value) (wdl.Value, error) {
	rec, ok := v.(*wdl.Record)
	if !ok {
		return v, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	out := &wdl.Record{Names: rec.Names, Values: slices.Clone(rec.Values)}
	for i, name := range rec.Names {
		if out.Values[i], err = wdl.Layout(rec.Values[i], filepath.Join(dir, "out", name), func(p wdl.Path, to string) (wdl.Value, error) {
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return nil, err
			}
			return wdl.Path{Name: to, Dir: p.Dir}, copyOut(p.Name, to)
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// keepFinished keeps the files of those outputs that a run which has failed has
// finished.
func (a *app) keepFinished(ctx context.Context, w io.Writer, r flow.Run, dir string) error {
	outputs, err := a.runs.finished(context.WithoutCancel(ctx), r)
	if err != nil || outputs == nil {
		return err
	}
	files := 0
	local, err := wdl.Paths(outputs, func(p wdl.Path) (wdl.Value, error) {
		if strings.Contains(p.Name, "://") {
			return nil, nil // an input that is an output
		}
		files++
		return p, nil
	})
	if err != nil || files == 0 {
		return err
	}
	if _, err := keepOutputs(dir, local); err != nil {
		return err
	}
	fmt.Fprintf(w, "\noutputs that were finished are in %s\n", filepath.Join(dir, "out"))
	return nil
}

// copyOut copies a file or directory: what stays must not share its contents
// with a run that goes.
func copyOut(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return copyTree(from, to, copyFile)
}

// outputsWDL returns a run's outputs as JSON, by their full names.
func (a *app) outputsWDL(ctx context.Context, r flow.Run, name string) ([]byte, error) {
	raw, ok, err := a.db.Output(ctx, r.ID, "outputs.", "outputs")
	if err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("the run has no outputs"), err)
	}
	v, err := wdl.ParseJSON(raw)
	if err != nil {
		return nil, err
	}
	return outputsText(v, name)
}

// outputsText returns outputs as JSON, by their full names.
func outputsText(v wdl.Value, name string) ([]byte, error) {
	rec, ok := v.(*wdl.Record)
	if !ok {
		return nil, fmt.Errorf("the run's outputs are no object")
	}
	rec = &wdl.Record{Names: slices.Clone(rec.Names), Values: rec.Values}
	for i := range rec.Names {
		rec.Names[i] = name + "." + rec.Names[i]
	}
	text, err := wdl.AppendJSON(nil, rec)
	if err != nil {
		return nil, err
	}
	return indented(text), nil
}

// wdlLabel returns what names the tasks of a run for who watches it. Sections
// and workflows are shown when they fail, and calls once they have begun.
func wdlLabel(doc *wdl.Document, g *flow.Graph) func(flow.Task) string {
	command := wdl.Commands(g)
	return func(t flow.Task) string {
		switch failed := t.State == flow.Failed || t.State == flow.TimedOut; {
		case failed:
			return cmp.Or(wdl.TargetLabel(doc, t.ID), string(t.ID))
		case t.Attempt == 0 || !command(t.ID):
			return ""
		}
		return wdl.TargetLabel(doc, t.ID)
	}
}

// explainWDL says why a run has failed, with the end of the log of the task
// that did.
func (a *app) explainWDL(w io.Writer, doc *wdl.Document, r flow.Run) {
	tasks, err := a.db.Tasks(context.Background(), r.ID)
	tasks = slices.DeleteFunc(tasks, func(t flow.Task) bool { return t.State != flow.Failed && t.State != flow.TimedOut })
	if err != nil || len(tasks) == 0 {
		fmt.Fprintf(w, "run %s: %s\n", r.State, printable(r.Reason))
		return
	}
	for _, t := range tasks {
		fmt.Fprintf(w, "%s failed at attempt %d: %s\n", cmp.Or(wdl.TargetLabel(doc, t.ID), string(t.ID)), t.Attempt, printable(t.Reason))
		page, err := a.logs.Read(context.Background(), omics.LogGroup, omics.TaskStream(r.ID, t), flow.LogRange{From: -1, Back: true, Limit: 20})
		if err != nil {
			continue // it never began
		}
		for _, e := range page.Events {
			fmt.Fprintln(w, "  | "+printable(eventText(e.Text)))
		}
	}
}

// indented writes JSON for a person to read.
func indented(text []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return text
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// machineSize returns the processors and the bytes of memory that tasks may
// use together: all of this machine, as far as it can be told.
func machineSize() (cpus int, memory int64) {
	memory = 1 << 60 // not known: no bound
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			var kib int64
			if n, _ := fmt.Sscanf(line, "MemTotal: %d kB", &kib); n == 1 {
				memory = kib << 10
			}
		}
	}
	return runtime.NumCPU(), memory
}
