package operator

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
)

//go:embed all:python
var standIn embed.FS

// python is PythonOperator, or a class that Python has to make.
type python struct {
	o      *Operators
	spec   *Spec
	custom bool
	raw    bool // the arguments are not rendered
}

// A pythonRequest is what python/runner.py reads from its standard input.
type pythonRequest struct {
	Callable      string                                `json:"callable,omitempty"` // module.function
	Name          string                                `json:"name,omitempty"`     // or a function …
	File          string                                `json:"file,omitempty"`     // … of a file
	OpArgs        json.RawMessage                       `json:"op_args,omitempty"`
	OpKwargs      json.RawMessage                       `json:"op_kwargs,omitempty"`
	TemplatesDict json.RawMessage                       `json:"templates_dict,omitempty"`
	ShowResult    bool                                  `json:"show_result"`
	Dags          string                                `json:"dags,omitempty"`
	Custom        bool                                  `json:"custom,omitempty"` // the operator is a class of the package
	Args          map[string]json.RawMessage            `json:"args,omitempty"`   // of its constructor
	Rendered      bool                                  `json:"rendered"`         // there are no templates any more
	Render        []string                              `json:"render,omitempty"` // the command that renders templates
	Extras        bool                                  `json:"extras,omitempty"`
	Task          pythonTask                            `json:"task"`
	XComs         map[string]map[string]json.RawMessage `json:"xcoms,omitempty"`
	MaxXCom       int                                   `json:"max_xcom"`
}

type pythonTask struct {
	DagID    string          `json:"dag_id"`
	RunID    string          `json:"run_id"`
	TaskID   string          `json:"task_id"`
	Try      int             `json:"try_number"`
	MaxTries int             `json:"max_tries"` // retries, as Airflow counts them
	Logical  string          `json:"logical_date"`
	Started  string          `json:"start_date,omitempty"`
	Params   json.RawMessage `json:"params,omitempty"`
	Conf     json.RawMessage `json:"conf,omitempty"`
	Operator string          `json:"operator"`
	Retries  int             `json:"retries"`
	Delay    float64         `json:"retry_delay"` // seconds, as the next
	Timeout  float64         `json:"execution_timeout"`
	Rule     string          `json:"trigger_rule,omitempty"`
	First    string          `json:"first,omitempty"` // when the first attempt began
	Pokes    int             `json:"pokes,omitempty"`
}

// Command hands the call to the runner of the stand-in.
func (p python) Command(c Call) (exec.Spec, error) {
	dags, mounts := p.o.codeDir(c)
	r := pythonRequest{
		Dags: dags, XComs: c.XComs, MaxXCom: p.o.set.MaxXCom, Extras: c.Task.Extras, Rendered: !p.raw,
		Task: pythonTask{
			DagID: c.Task.DagID, RunID: c.Task.RunID, TaskID: c.Task.TaskID,
			Try: c.Task.Try, MaxTries: max(c.Task.MaxTries-1, 0), Retries: max(c.Task.MaxTries-1, 0),
			Logical: isoformat(c.Task.Logical), Params: c.Task.Params, Conf: c.Task.Conf,
			Started: moment(c.Task.Started), First: moment(c.Task.First), Pokes: c.Task.Pokes,
			Delay: c.Task.Delay.Seconds(), Timeout: c.Task.Timeout.Seconds(), Rule: c.Task.Rule,
			Operator: p.spec.Paths[0],
		},
	}
	if p.custom {
		r.Custom, r.Args = true, c.Args
		self, mount, err := p.o.self()
		if err != nil {
			return exec.Spec{}, err
		}
		r.Render, mounts = []string{self, "render-texts"}, append(mounts, mount...)
	} else if err := p.function(c, &r); err != nil {
		return exec.Spec{}, err
	}
	e := p.o.environ(c)
	e.airflowContext(c.Task)
	interpreter := p.o.set.Python
	if dir := p.o.withEnvironment(c, e, &mounts); dir != "" {
		interpreter = dir + "/bin/python"
	}
	env, err := e.list()
	if err != nil {
		return exec.Spec{}, err
	}
	in, err := json.Marshal(r)
	if err != nil {
		return exec.Spec{}, Errorf("the arguments of the task are not JSON: %v", err)
	}
	p.o.compiled.Do(func() { compileStandIn(p.o.set.Python, p.o.set.Path, p.o.standIn) })
	dir := p.o.standIn
	var warm *exec.Warm
	if !p.o.set.Unmounted {
		dir = pythonDir
		mount := exec.Mount{Source: p.o.standIn, Target: pythonDir}
		mounts = append(mounts, mount)
		// The interpreter itself, whatever is installed for the task: what waits
		// has rights, and must run nothing of a user's.
		warm = &exec.Warm{Argv: []string{p.o.set.Python, "-I", "-S", "-B", dir + "/template.py"}, Mounts: []exec.Mount{mount}}
	}
	return exec.Spec{
		// Isolated, so that no file beside the runner and no variable of the
		// user's environment changes which modules the runner itself gets; it
		// does the work of the site module itself.
		Argv: []string{interpreter, "-I", "-S", "-B", dir + "/runner.py"},
		Env:  env, Stdin: in, Mounts: mounts, Warm: warm, Logger: "task.stdout", Level: "info",
	}, nil
}

// function reads which function is to be called, and with what.
func (p python) function(c Call, r *pythonRequest) error {
	a := c.args(p.spec)
	r.Callable, r.Name, r.File = a.text("python_callable"), a.text("python_callable_name"), a.text("python_callable_file")
	r.OpArgs = p.shaped(a, "op_args", '[', "a list")
	r.OpKwargs = p.shaped(a, "op_kwargs", '{', "a mapping")
	r.TemplatesDict = p.shaped(a, "templates_dict", '{', "a mapping")
	r.ShowResult = a.flag("show_return_value_in_logs")
	switch {
	case a.err != nil:
		return a.err
	case r.Callable == "" && (r.Name == "" || r.File == ""):
		return &Error{Fatal: true, Message: "python_callable names no function; write module.function"}
	case r.Callable != "" && !strings.Contains(r.Callable, "."):
		return &Error{Fatal: true, Message: fmt.Sprintf(
			"python_callable %q names no module; write module.function", clip(r.Callable, 200))}
	}
	if rest, ok := strings.CutPrefix(r.File, dagsDir); ok && r.Dags != "" {
		r.File = r.Dags + rest
	}
	return nil
}

// moment is isoformat, and nothing for the zero time.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return isoformat(t)
}

// shaped returns an argument that must be a JSON value beginning with open.
func (p python) shaped(a *args, name string, open byte, want string) json.RawMessage {
	v := a.raw(name)
	if v != nil && v[0] != open {
		a.wrong(name, want, v)
	}
	return v
}

// Finish reads what the runner reported.
func (p python) Finish(_ Call, x exec.Exit) flow.Outcome { return p.o.finish("the Python process", x) }

// writeStandIn makes sure that the stand-in is below dir and returns its
// directory. The name tells the content, so that attempts begun by another
// version of this program keep theirs.
func writeStandIn(dir string) (string, error) {
	files, err := fs.Sub(standIn, "python")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		return err
	})
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	final := filepath.Join(dir, "python-"+hex.EncodeToString(sum.Sum(nil))[:16])
	if _, err := os.Stat(filepath.Join(final, "runner.py")); err == nil {
		return final, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	draft, err := os.MkdirTemp(dir, ".python-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(draft)
	// Tasks may run as another user.
	if err := os.Chmod(draft, 0o755); err != nil {
		return "", err
	}
	if err := os.CopyFS(draft, files); err != nil {
		return "", err
	}
	if err := os.Rename(draft, final); err != nil {
		if _, there := os.Stat(filepath.Join(final, "runner.py")); there == nil {
			return final, nil // another process was quicker
		}
		return "", err
	}
	return final, nil
}

// compileStandIn has the interpreter keep the stand-in's modules compiled,
// beside them: a cage shows them read-only, so that each task would compile
// them again, which takes longer than to start Python. Where it fails, tasks
// are slower, no more.
func compileStandIn(python, path, dir string) {
	python, ok := lookPath(python, path)
	if !ok {
		return
	}
	info, err := os.Stat(python)
	if err != nil {
		return
	}
	// Another interpreter compiles for itself; they do not get in each
	// other's way.
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", python, info.Size(), info.ModTime().UnixNano()))
	done := filepath.Join(dir, "compiled-"+hex.EncodeToString(sum[:8]))
	if isFile(done) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	// The content is in the directory's name, so nobody need look whether a
	// file has changed.
	cmd := osexec.CommandContext(ctx, python, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", dir)
	if cmd.Run() == nil {
		_ = os.WriteFile(done, nil, 0o644) // without it they are compiled again
	}
}

// lookPath finds a program as a task's process would.
func lookPath(name, path string) (string, bool) {
	if strings.Contains(name, "/") {
		return name, isFile(name)
	}
	for dir := range strings.SplitSeq(path, ":") {
		if p := filepath.Join(dir, name); isFile(p) {
			return p, true
		}
	}
	return "", false
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
