package container

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// Probe implements [exec.Driver].
func (d *Driver) Probe(ctx context.Context) (exec.Report, error) {
	version, err := d.engine.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return exec.Report{}, fmt.Errorf("ask the container engine at %s for its version: %w", d.engine.DaemonHost(), err)
	}
	groups := "control groups, version " + d.info.CgroupVersion
	if d.info.CgroupVersion == "" {
		groups = "control groups"
	}
	if d.info.CgroupDriver != "" {
		groups += ", by " + d.info.CgroupDriver
	}
	rootless := d.has("name=rootless")
	r := exec.Report{Driver: "container"}
	add := func(name string, inUse bool, how string) {
		r.Measures = append(r.Measures, exec.Measure{Name: name, InUse: inUse, How: how})
	}
	podman := slices.ContainsFunc(version.Components, func(c system.ComponentVersion) bool { return strings.Contains(c.Name, "Podman") })
	kind := "Docker"
	if podman {
		kind = "Podman"
	}
	add("container", true, fmt.Sprintf("%s %s, API %s, on %s at %s", kind, version.Version, version.APIVersion, d.info.Name, d.engine.DaemonHost()))
	if fits(d.info.Architecture) {
		add("architecture", true, d.info.Architecture+", of the engine and of process 1")
	} else {
		add("architecture", false, fmt.Sprintf("the engine's machine is %s, and process 1 is built for %s: run the fairlead that is built for that machine, on it", d.info.Architecture, runtime.GOARCH))
	}
	if linked(d.opts.Helper) {
		add("process 1", false, "not needed in images that have the libraries of the C language: "+builtWithCgo)
	} else {
		add("process 1", true, "needs nothing of an image")
	}
	if rootless {
		add("rootless engine", true, "root of a container is the user that the engine runs as")
	} else {
		add("rootless engine", false, "not needed: commands lose all rights. But who may use the engine's socket is root of this machine; dockerd-rootless-setuptool.sh install, or Podman as a user, makes one that is not")
	}
	add("pid namespace", true, "a container for each attempt")
	add("mount namespace", true, "the image's files, and what is mounted")
	add("read-only system", true, "the image's files cannot be changed")
	add("ipc namespace", true, "a container for each attempt")
	add("uts namespace", true, "a container for each attempt")
	add("network namespace", true, "when a command asks for no network; otherwise it uses the machine's")
	add("forwards", true, "what a command without network may reach all the same, while the server is there")
	add("no new privileges", true, "and no capabilities")
	if d.has("name=seccomp") && !slices.Contains(d.info.SecurityOptions, "name=seccomp,profile=unconfined") {
		add("system call filter", true, "the engine's own")
	} else {
		add("system call filter", false, "the engine has none: its kernel or its build lacks seccomp, or a setting turns it off (seccomp-profile)")
	}
	limit := func(name string, inUse bool, how string) {
		if !inUse {
			how = "the engine says that it cannot" + why(d.info.Warnings, rootless)
		}
		add(name, inUse, how)
	}
	limit("memory limit", d.info.MemoryLimit, groups+fmt.Sprintf(", with %d MiB for process 1", ownMemory>>20))
	limit("cpu limit", d.info.CPUCfsQuota, groups)
	limit("pids limit", d.info.PidsLimit, groups+fmt.Sprintf(", with %d for process 1", ownPIDs))
	add("open files limit", true, "resource limit")
	add("file size limit", true, "resource limit")
	add("disk limit", true, cage.DiskMeasure)
	add("orphans are ended", true, "process 1 ends them")
	add("outlives the server", true, "the engine keeps the containers")
	if podman || d.info.LiveRestoreEnabled {
		add("outlives the engine", true, "containers go on while the engine is restarted")
	} else {
		add("outlives the engine", false, `not needed: tasks that a restart of dockerd ends are retried. To keep them, set "live-restore": true in its daemon.json`)
	}
	return r, nil
}

// why says what an engine gives as reasons for what it cannot do, and what helps.
func why(warnings []string, rootless bool) string {
	text := ""
	if len(warnings) > 0 {
		text = ": " + strings.Join(warnings, "; ")
	}
	if rootless {
		return text + ". A rootless engine limits nothing unless systemd delegates control groups, version 2, to its user (Delegate=cpu cpuset io memory pids)"
	}
	return text + ". The kernel must have that control group, and the engine must be able to write to it"
}

// fits reports whether this program can run on a machine of an architecture, as
// uname calls it.
func fits(machine string) bool {
	known := map[string]string{"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
	goarch, ok := known[machine]
	return !ok || goarch == runtime.GOARCH // of others nothing is known
}

// builtWithCgo says what is wrong where process 1 cannot be executed.
const builtWithCgo = "this fairlead was built with cgo, and images may lack its libraries; build it with CGO_ENABLED=0"

// linked reports whether a program needs libraries.
func linked(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return false // whoever starts it says what is wrong
	}
	defer f.Close()
	return slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// Has reports whether the engine has an image, so that nothing need be pulled.
func (d *Driver) Has(ctx context.Context, name string) (bool, error) {
	_, err := d.find(ctx, name)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Bare gives the engine an image without any file, in which no command is found,
// and returns its name; remove takes it away again. To see process 1 at work it is
// enough.
func (d *Driver) Bare(ctx context.Context) (name string, remove func(), err error) {
	name = "fairlead-bare:" + d.deployment
	var empty bytes.Buffer
	if err := tar.NewWriter(&empty).Close(); err != nil {
		return "", nil, err
	}
	res, err := d.engine.ImageImport(ctx, client.ImageImportSource{Source: &empty, SourceName: "-"}, name, client.ImageImportOptions{})
	if err != nil {
		return "", nil, fmt.Errorf("make an image without files: %w", err)
	}
	_, err = io.Copy(io.Discard, res)
	remove = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		_, _ = d.engine.ImageRemove(ctx, name, client.ImageRemoveOptions{}) // it has no size
	}
	return name, remove, errors.Join(err, res.Close())
}
