package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/exec"
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
force, and how to get what is not. The exit status is 1 only if tasks cannot
run at all.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opt.validate(); err != nil {
				return err
			}
			found, err := examine(cmd.Context(), opt)
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
	var found []finding
	network := false
	for _, m := range report.Measures {
		found = append(found, finding{m.Name, statusOf(m), clipText(m.How, 300)})
		network = network || m.Name == "network namespace" && m.InUse
	}
	policy := finding{"network policy", fine, "host, endpoints and none, by the tag " + networkTag + " or --network"}
	if !network {
		policy = finding{"network policy", degraded, "host alone: endpoints and none need network namespaces, and tasks that ask for them fail"}
	}
	found = append(found, policy)

	try := trier{d, dir, 0}
	if _, err := try.run(ctx, "/bin/sh", "-c", "true"); err != nil {
		return found, err
	}
	found = append(found, try.tool(ctx, "bash", "BashOperator needs it: install bash", "bash", "-c", "echo $BASH_VERSION"))
	if pythonErr != nil {
		found = append(found, finding{"python", missing, pythonErr.Error()})
	} else {
		found = append(found, try.tool(ctx, "python", "PythonOperator needs it: install python3, or name one with --python", python, "-c", "import sys; print(sys.executable, sys.version.split()[0])"))
	}
	installer := try.tool(ctx, "uv", "", "uv", "--version")
	if installer.Status != fine {
		installer = try.tool(ctx, "pip", "requirements.txt of code packages needs uv, or python3 with venv and pip", python, "-c", "import venv, ensurepip; print('pip', ensurepip.version(), 'in a venv; uv would be faster')")
		if installer.Status == fine {
			installer.Name = "uv"
			installer.Status = degraded
		}
	}
	return append(found, installer, docker()), nil
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

// docker says whether there is a container engine, which nothing needs so far.
func docker() finding {
	for _, socket := range []string{"/var/run/docker.sock", "/run/podman/podman.sock", filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "podman/podman.sock")} {
		if fi, err := os.Stat(socket); err == nil && fi.Mode()&os.ModeSocket != 0 {
			return finding{"docker", fine, socket + "; tasks do not use it: they run in cages of the kernel's"}
		}
	}
	return finding{"docker", missing, "not needed: tasks run in cages of the kernel's"}
}

// A trier runs commands as tasks are run.
type trier struct {
	driver *sandbox.Driver
	dir    string
	n      int
}

// run returns the last line that a command prints.
func (t *trier) run(ctx context.Context, argv ...string) (string, error) {
	t.n++
	id := fmt.Sprintf("try%d", t.n)
	x, err := t.driver.Run(ctx, exec.Spec{
		ID: id, Argv: argv, Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Log: filepath.Join(t.dir, id+".log"), Limits: exec.Limits{Wall: 20 * time.Second}, Grace: time.Second,
	}, "", nil)
	if err != nil {
		return "", err
	}
	if x.Code != 0 {
		return "", flow.Errorf(flow.Invalid, "%s: exit status %d: %s", argv[0], x.Code, x.LastLine)
	}
	return x.LastLine, t.driver.Forget(id)
}

// tool says whether tasks find a program.
func (t *trier) tool(ctx context.Context, name, fix string, argv ...string) finding {
	line, err := t.run(ctx, argv...)
	if err != nil {
		return finding{name, missing, clipText(fix+" ("+err.Error()+")", 300)}
	}
	return finding{name, fine, clipText(line, 200)}
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
