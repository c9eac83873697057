package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/exec"
	"fairlead/internal/exec/container"
	"fairlead/internal/exec/sandbox"
	"fairlead/internal/flow"
)

// A finding is what the doctor says of one thing.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, degraded or missing
	How    string `json:"how"`    // what is in force, or how to get it
}

// The statuses of findings.
const (
	fine     = "ok"
	degraded = "degraded" // something else does a part of it
	missing  = "missing"
)

func doctorCommand() *cobra.Command {
	opt := defaultOptions()
	asJSON := false
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what holds tasks on this machine, and what they find",
		Long: `Tries out what isolates and limits tasks on this machine, as the user who asks,
and which programs they find, by running some. One line each: what is in
force, and how to get what is not. With --driver container, it asks the
container engine, and starts a container. The exit status is 1 only if tasks cannot
run at all.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opt.validate(); err != nil {
				return err
			}
			look := examine
			if opt.driver == "container" {
				look = examineEngine
			}
			found, err := look(cmd.Context(), opt)
			if err != nil {
				found = append(found, finding{"tasks", missing, "no task can run: " + err.Error()})
			}
			if printed := printFindings(cmd.OutOrStdout(), found, asJSON); printed != nil {
				return printed
			}
			if err != nil {
				return exitError(1)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.StringVar(&opt.python, "python", opt.python, "interpreter of PythonOperator")
	f.StringVar(&opt.isolation, "isolation", opt.isolation, isolationUsage)
	driverFlags(cmd, &opt)
	return cmd
}

func printFindings(w io.Writer, found []finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(found)
	}
	for _, f := range found {
		if _, err := fmt.Fprintf(w, "%-9s %-22s %s\n", f.Status, f.Name, f.How); err != nil {
			return err
		}
	}
	return nil
}

// examine tries everything out, in a directory of its own. Its error says that
// no task can run.
func examine(ctx context.Context, opt options) ([]finding, error) {
	dir, err := os.MkdirTemp("", "fairlead-doctor-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	python, show, pythonErr := findPython(opt.python)
	d, err := sandbox.New(sandbox.Options{Root: filepath.Join(dir, "attempts"), Show: show, Plain: opt.isolation == "none"})
	if err != nil {
		return nil, err
	}
	report, err := d.Probe(ctx)
	if err != nil {
		return nil, err
	}
	found := findings(report)
	network := slices.ContainsFunc(report.Measures, func(m exec.Measure) bool { return m.Name == "network namespace" && m.InUse })
	policy := finding{"network policy", fine, "host, endpoints and none, by the tag " + networkTag + " or --network"}
	if !network {
		policy = finding{"network policy", degraded, "host alone: endpoints and none need network namespaces, and tasks that ask for them fail"}
	}
	found = append(found, policy)

	try := trier{driver: d, dir: dir}
	if _, err := try.run(ctx, "/bin/sh", "-c", "true"); err != nil {
		return found, err
	}
	found = append(found, try.bash(ctx))
	if pythonErr != nil {
		found = append(found, finding{"python", missing, pythonErr.Error()})
	} else {
		found = append(found, try.python(ctx, python))
	}
	installer := try.tool(ctx, "uv", "", "uv", "--version")
	if installer.Status != fine {
		installer = try.tool(ctx, "pip", "requirements.txt of code packages needs uv, or python3 with venv and pip", python, "-c", "import venv, ensurepip; print('pip', ensurepip.version(), 'in a venv; uv would be faster')")
		if installer.Status == fine {
			installer.Name = "uv"
			installer.Status = degraded
		}
	}
	return append(found, installer, gpuFinding(opt), docker()), nil
}

// findings are what a driver says of itself.
func findings(r exec.Report) []finding {
	var found []finding
	for _, m := range r.Measures {
		found = append(found, finding{m.Name, statusOf(m), clipText(m.How, 300)})
	}
	return found
}

// examineEngine tries the container engine. Its error says that no task can run.
func examineEngine(ctx context.Context, opt options) ([]finding, error) {
	dir, err := os.MkdirTemp("", "fairlead-doctor-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	d, err := container.New(ctx, container.Options{Root: filepath.Join(dir, "containers"), Image: opt.image, Path: usualPath})
	if err != nil {
		if other := sockets(); len(other) > 0 && os.Getenv("DOCKER_HOST") == "" {
			err = fmt.Errorf("%w (there is DOCKER_HOST=unix://%s)", err, strings.Join(other, ", DOCKER_HOST=unix://"))
		}
		return nil, err
	}
	defer d.Close()
	report, err := d.Probe(ctx)
	if err != nil {
		return nil, err
	}
	found := findings(report)
	bare, remove, err := d.Bare(ctx)
	if err != nil {
		return found, err
	}
	defer remove()
	try := trier{driver: d, dir: dir, image: bare}
	began := time.Now()
	if err := try.begins(ctx); err != nil {
		return found, err
	}
	found = append(found, finding{"first container", fine, fmt.Sprintf("with limits and a forward, without any file of an image, in %s", time.Since(began).Round(time.Millisecond))},
		finding{"network policy", fine, "host, endpoints and none, by the tag " + networkTag + " or --network"}, gpuFinding(opt))
	if opt.image == "" {
		return append(found, finding{"image", degraded, "none is named: tasks need one by --image, or by the tag " + imageTag + " of their workflow"}), nil
	}
	has, err := d.Has(ctx, opt.image)
	switch {
	case err != nil:
		return found, err
	case !has:
		return append(found, finding{"image", degraded, opt.image + " is not here: the first task pulls it, and its log shows how far that is; what is in it was not tried"}), nil
	}
	try.image = opt.image
	return append(found, finding{"image", fine, opt.image}, try.bash(ctx), try.python(ctx, opt.python)), nil
}

// statusOf says how bad it is that a measure is not in use.
func statusOf(m exec.Measure) string {
	switch {
	case m.InUse, strings.HasPrefix(m.How, "not needed"):
		return fine
	case strings.HasSuffix(m.Name, " limit"):
		return degraded // each process is bounded by itself
	}
	return missing
}

// docker says whether there is a container engine, which the sandbox does not need.
func docker() finding {
	const unused = "tasks run in cages of the kernel's, unless --driver container says otherwise"
	if found := sockets(); len(found) > 0 {
		return finding{"docker", fine, found[0] + " is there; " + unused}
	}
	return finding{"docker", missing, "not needed: " + unused}
}

// sockets are the usual ones of container engines that are there.
func sockets() []string {
	usual := []string{"/var/run/docker.sock", "/run/podman/podman.sock"}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		usual = append(usual, filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman/podman.sock"))
	}
	return slices.DeleteFunc(usual, func(socket string) bool {
		fi, err := os.Stat(socket)
		return err != nil || fi.Mode()&os.ModeSocket == 0
	})
}

// A trier runs commands as tasks are run.
type trier struct {
	driver exec.Driver
	dir    string
	image  string
	n      int
}

// begins tries whether a command can begin: one that is not there, with limits.
func (t *trier) begins(ctx context.Context) error {
	spec := t.spec("/no/such/command")
	spec.Network, spec.Forwards = "none", []exec.Forward{{Listen: "127.0.0.1:1", To: "127.0.0.1:1"}}
	spec.Limits.Memory, spec.Limits.PIDs, spec.Limits.Files, spec.Limits.Disk = 64<<20, 20, 100, 1<<20
	x, err := t.driver.Run(ctx, spec, "", nil)
	if err != nil {
		return err
	}
	if x.Code != 127 {
		return flow.Errorf(flow.Invalid, "a command that does not exist ended with status %d %s, where 127 is expected", x.Code, x.Why)
	}
	return t.driver.Forget(spec.ID)
}

func (t *trier) spec(argv ...string) exec.Spec {
	t.n++
	id := fmt.Sprintf("try%d", t.n)
	return exec.Spec{
		ID: id, Argv: argv, Image: t.image, Env: []string{"PATH=" + usualPath},
		Log: filepath.Join(t.dir, id+".log"), Limits: exec.Limits{Wall: 20 * time.Second}, Grace: time.Second,
	}
}

// run returns the last line that a command prints.
func (t *trier) run(ctx context.Context, argv ...string) (string, error) {
	spec := t.spec(argv...)
	x, err := t.driver.Run(ctx, spec, "", nil)
	if err != nil {
		return "", err
	}
	if x.Code != 0 {
		return "", flow.Errorf(flow.Invalid, "%s: exit status %d: %s", argv[0], x.Code, x.LastLine)
	}
	return x.LastLine, t.driver.Forget(spec.ID)
}

// tool says whether tasks find a program.
func (t *trier) tool(ctx context.Context, name, fix string, argv ...string) finding {
	line, err := t.run(ctx, argv...)
	if err != nil {
		return finding{name, missing, clipText(fix+" ("+err.Error()+")", 300)}
	}
	return finding{name, fine, clipText(line, 200)}
}

func (t *trier) bash(ctx context.Context) finding {
	return t.tool(ctx, "bash", "BashOperator needs it: install bash", "bash", "-c", "echo $BASH_VERSION")
}

func (t *trier) python(ctx context.Context, name string) finding {
	return t.tool(ctx, "python", "PythonOperator needs it: install python3, or name one with --python", name, "-c", "import sys; print(sys.executable, sys.version.split()[0])")
}

const isolationUsage = "what to do where this machine cannot isolate or limit tasks in full: require (do not start), prefer (go on, and say so) or none (plain processes)"

// isolations are what --isolation may be.
var isolations = []string{"require", "prefer", "none"}

// checkIsolation refuses a machine that lacks something, where all of it is
// demanded.
func (a *app) checkIsolation(ctx context.Context) error {
	if a.opt.isolation != "require" {
		return nil
	}
	report, err := a.driver.Probe(ctx)
	if err != nil {
		return err
	}
	var lacking []string
	for _, m := range report.Measures {
		wanted := m.Name != "cpu limit" || a.opt.cpus > 0
		wanted = wanted && (m.Name != "memory limit" || a.opt.memory > 0)
		if wanted && statusOf(m) != fine {
			lacking = append(lacking, m.Name+" ("+clipText(m.How, 200)+")")
		}
	}
	if len(lacking) > 0 {
		return fmt.Errorf("--isolation require: this machine lacks %s; see fairlead doctor", strings.Join(lacking, ", "))
	}
	return nil
}
