package operator

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fairlead/internal/exec"
)

const (
	requirements = "requirements.txt"
	environDir   = "/fairlead/env" // inside the cage
	// maxRequirements bounds the file, maxEnvironment what it may lead to.
	maxRequirements = 1 << 20
	maxEnvironment  = 4 << 30
	installTime     = 15 * time.Minute
)

// An Installation is what it takes to install the packages that a code
// package asks for.
type Installation struct {
	Driver exec.Driver
	Image  string // in which tasks will use the packages; that of exec.Spec
	Code   string // the directory of the unpacked code package
	Log    string // the file of the task's log, which shows the progress
	Say    Log    // writes a line of it
	Limits exec.Limits
	Grace  time.Duration
}

// An installing is an installation under way. done is closed when err says
// how it went.
type installing struct {
	done chan struct{}
	err  error
}

// errAbandoned says that whoever installed was told to stop: another may.
var errAbandoned = errors.New("the installation was stopped")

// Environment returns the directory of the virtual environment with the
// packages of the code package's requirements.txt, for [Call.Environment];
// nothing if the package has no such file. The packages are installed once
// for a content of the file: the first task that needs them does it, in a
// cage with the machine's network, and others wait. An [Error] says, with the
// tool's last lines, why they could not be.
func (o *Operators) Environment(ctx context.Context, in Installation) (string, error) {
	text, err := readRequirements(in.Code)
	if text == nil || err != nil {
		return "", err
	}
	dir := filepath.Join(o.set.Dir, "env-"+o.environmentKey(in.Code, in.Image, text))
	for {
		o.mu.Lock()
		if isFile(dir + ".done") {
			o.mu.Unlock()
			return dir, nil
		}
		under, waits := o.installing[dir]
		if !waits {
			under = &installing{done: make(chan struct{})}
			o.installing[dir] = under
		}
		o.mu.Unlock()
		if !waits {
			under.err = o.install(ctx, in, dir)
			o.mu.Lock()
			delete(o.installing, dir)
			o.mu.Unlock()
			close(under.done)
			if errors.Is(under.err, errAbandoned) {
				return "", context.Cause(ctx)
			}
			return dir, under.err
		}
		in.Say("info", "fairlead.requirements", "Another task installs the packages of requirements.txt; waiting for it")
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-under.done:
		}
		if under.err != nil && !errors.Is(under.err, errAbandoned) {
			return "", under.err
		}
	}
}

// readRequirements returns the text of the package's requirements.txt, nil
// without one.
func readRequirements(code string) ([]byte, error) {
	if code == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(code)
	if err != nil {
		return nil, fmt.Errorf("open the code package: %w", err)
	}
	defer root.Close()
	f, err := root.Open(requirements)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("open %s of the code package: %w", requirements, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRequirements+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s of the code package: %w", requirements, err)
	case len(text) > maxRequirements:
		return nil, &Error{Fatal: true, Message: fmt.Sprintf("%s has more than %d bytes", requirements, maxRequirements)}
	case len(bytes.TrimSpace(text)) == 0:
		return nil, nil
	}
	return text, nil
}

// environmentKey names the environment of a requirements.txt: by its text, the
// interpreter and the image, and by the package where files of the package may
// have a say in what is installed: else one workflow could choose what another,
// which asks for the same by name, runs.
func (o *Operators) environmentKey(code, image string, text []byte) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n", o.set.Python, text)
	if image != "" {
		fmt.Fprintf(sum, "image %s\n", image)
	}
	if namesFiles(text) || hasInstallerSettings(code) {
		fmt.Fprintf(sum, "%s\n", code)
	}
	return hex.EncodeToString(sum.Sum(nil))[:32]
}

// archives are in the names of files that pip takes for packages even where no
// slash says that a file is meant.
var archives = [...]string{".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", "file:"}

// namesFiles reports whether a requirements.txt may name files of its package.
func namesFiles(text []byte) bool {
	for line := range strings.FieldsFuncSeq(strings.ToLower(string(text)), lineEnd) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		named := func(part string) bool { return strings.Contains(line, part) }
		if strings.HasPrefix(line, "-") || strings.HasPrefix(line, ".") || strings.ContainsAny(line, `/\$`) || slices.ContainsFunc(archives[:], named) {
			return true
		}
	}
	return false
}

// lineEnd reports whether a line may end at a character for Python.
func lineEnd(c rune) bool {
	return c >= '\n' && c <= '\r' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029
}

// hasInstallerSettings reports whether uv, which looks in the directory that it
// works in, finds settings in a code package, such as another index.
func hasInstallerSettings(code string) bool {
	return slices.ContainsFunc([]string{"uv.toml", "pyproject.toml"}, func(name string) bool {
		_, err := os.Lstat(filepath.Join(code, name))
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// install makes the environment at dir.
func (o *Operators) install(ctx context.Context, in Installation, dir string) error {
	// What a crash left half done is begun anew.
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove an unfinished environment: %w", err)
	}
	// Tasks may run as another user, and only read.
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make an environment: %w", err)
	}
	in.Say("info", "fairlead.requirements", "Installing the packages of requirements.txt")
	spec, err := o.installCommand(in, dir)
	if err != nil {
		return err
	}
	x, err := in.Driver.Run(ctx, spec, "", func(string) error { return nil })
	if err == nil {
		err = in.Driver.Forget(spec.ID)
	}
	switch {
	case ctx.Err() != nil:
		return errAbandoned
	case err != nil:
		return fmt.Errorf("install the packages of %s: %w", requirements, err)
	case x.Why == exec.OutOfTime:
		return Errorf("the packages of %s could not be installed within %s: %s", requirements, installTime, clip(x.LastLine, 1000))
	case x.Why != exec.ByItself:
		out, _ := cutShort(x)
		return Errorf("the packages of %s could not be installed: %s: %s", requirements, out.Reason, clip(x.LastLine, 1000))
	case x.Code != 0:
		var r report
		if json.Unmarshal(x.Result, &r) != nil || r.Error == "" {
			r.Error = fmt.Sprintf("exit status %d: %s", x.Code, x.LastLine)
		}
		return Errorf("the packages of %s could not be installed: %s", requirements, clip(r.Error, 16<<10))
	}
	size, err := sizeOf(dir)
	if err != nil {
		return fmt.Errorf("look at the installed packages: %w", err)
	}
	if size > maxEnvironment {
		_ = os.RemoveAll(dir) // else the next try does it
		return &Error{Fatal: true, Message: fmt.Sprintf("the packages of %s have %d bytes; at most %d are allowed", requirements, size, int64(maxEnvironment))}
	}
	return os.WriteFile(dir+".done", nil, 0o600)
}

// installCommand returns the process that installs.
func (o *Operators) installCommand(in Installation, dir string) (exec.Spec, error) {
	nonce := make([]byte, 8)
	_, _ = rand.Read(nonce) // never fails
	e := environ{"PATH": o.set.Path, "LANG": "C.UTF-8"}
	for _, kv := range o.set.Install.Env {
		k, v, _ := strings.Cut(kv, "=")
		e[k] = v
	}
	env, err := e.list()
	if err != nil {
		return exec.Spec{}, err
	}
	code, mounts := o.codeDir(Call{Code: in.Code})
	s := exec.Spec{
		ID: filepath.Base(dir) + "-" + hex.EncodeToString(nonce), Image: in.Image, Env: env, Dir: code,
		Log: in.Log, Logger: "fairlead.requirements", Level: "info",
		Limits: in.Limits, Network: "host", Grace: in.Grace,
	}
	s.Limits.Wall = installTime
	tools, target := o.standIn, dir
	if !o.set.Unmounted {
		tools, target = pythonDir, environDir
		s.Mounts = append(append(mounts, o.set.Install.Mounts...),
			exec.Mount{Source: o.standIn, Target: pythonDir}, exec.Mount{Source: dir, Target: environDir, Writable: true})
	}
	// The code package is where relative paths count from, and read-only.
	s.Argv = []string{o.set.Python, "-I", "-B", tools + "/install.py", target, requirements}
	return s, nil
}

// withEnvironment shows a process the call's environment, and returns where
// it is for the process; empty without one.
func (o *Operators) withEnvironment(c Call, e environ, mounts *[]exec.Mount) string {
	if c.Environment == "" {
		return ""
	}
	dir := c.Environment
	if !o.set.Unmounted {
		dir = environDir
		*mounts = append(*mounts, exec.Mount{Source: c.Environment, Target: environDir})
	}
	e["VIRTUAL_ENV"] = dir
	if path, ok := e["PATH"]; ok {
		e["PATH"] = dir + "/bin:" + path
	}
	return dir
}

// sizeOf returns the bytes of all files below dir.
func sizeOf(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sum += info.Size()
		return nil
	})
	return sum, err
}
