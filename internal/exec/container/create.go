package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// What process 1 needs for itself, added to the limits of the command, since the
// engine counts both together.
const (
	ownMemory = 24 << 20
	ownPIDs   = 16
)

// config says what the engine knows of the command: nothing but process 1. Its
// environment and arguments may hold secrets, and whoever may ask the engine
// would see them.
func (d *Driver) config(spec exec.Spec, img image) *container.Config {
	return &container.Config{
		Image: img.id, Entrypoint: []string{cage.InsideName}, Cmd: []string{}, User: "0:0", WorkingDir: "/",
		Env:         []string{"GOMAXPROCS=1"},
		Labels:      map[string]string{deploymentLabel: d.deployment, attemptLabel: spec.ID},
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
		StopSignal:  "SIGKILL", // process 1 heeds no other
	}
}

// hostConfig says what the container may see and use.
func (d *Driver) hostConfig(spec exec.Spec) *container.HostConfig {
	no := false
	dir, log := d.dir(spec.ID), spec.Log
	h := &container.HostConfig{
		NetworkMode: "host", IpcMode: "private", Init: &no, ReadonlyRootfs: true,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		CapDrop:       []string{"ALL"},
		// Of process 1, which gives them up for the command: to be kept from it,
		// to make it another user, to end it.
		CapAdd:      []string{"DAC_OVERRIDE", "SETUID", "SETGID", "KILL"},
		SecurityOpt: []string{"no-new-privileges"},
		// The engine's own list, and what it keeps in memory for devices.
		ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/dev"},
		// Not owned by any user that a command is likely to be.
		Tmpfs: map[string]string{cage.InsideHold: "mode=0700,uid=4294967,gid=4294967,size=64k"},
	}
	if spec.Network == "none" {
		h.NetworkMode = "none"
	}
	for _, f := range spec.Forwards {
		at, err := netip.ParseAddrPort(f.Listen)
		if err == nil && at.Port() < 1024 && !slices.Contains(h.CapAdd, "NET_BIND_SERVICE") {
			h.CapAdd = append(h.CapAdd, "NET_BIND_SERVICE")
		}
		if err == nil && at.Addr().Is6() { // some engines leave it out where there is no network
			h.Sysctls = map[string]string{"net.ipv6.conf.lo.disable_ipv6": "0"}
		}
	}
	if d.has("name=userns") {
		h.UsernsMode = "host" // else it could not write what is on this machine
	}
	if d.has("name=selinux") {
		h.SecurityOpt = append(h.SecurityOpt, "label=disable")
	}
	bind := func(source, target string, writable bool) {
		h.Mounts = append(h.Mounts, mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: !writable})
	}
	bind(d.opts.Helper, cage.InsideName, false)
	bind(filepath.Join(dir, cage.ReportDir), cage.InsideDir, true)
	bind(log, cage.InsideLog, true)
	if spec.Limits.Disk > 0 { // to be measured, whatever is mounted over them
		bind(filepath.Join(dir, cage.WorkDir), filepath.Join(cage.InsideHold, cage.WorkDir), false)
		bind(filepath.Join(dir, cage.TempDir), filepath.Join(cage.InsideHold, cage.TempDir), false)
	}
	own := []exec.Mount{
		{Source: filepath.Join(dir, cage.WorkDir), Target: cage.Home, Writable: true},
		{Source: filepath.Join(dir, cage.TempDir), Target: "/tmp", Writable: true},
		{Source: filepath.Join(dir, cage.TempDir), Target: "/var/tmp", Writable: true},
	}
	for _, m := range own {
		if !slices.ContainsFunc(spec.Mounts, func(o exec.Mount) bool { return filepath.Clean(o.Target) == m.Target }) {
			bind(m.Source, m.Target, m.Writable)
		}
	}
	for _, m := range spec.Mounts {
		bind(filepath.Clean(m.Source), filepath.Clean(m.Target), m.Writable)
	}
	if l := spec.Limits.Memory; l > 0 {
		h.Memory = l + ownMemory
		h.MemorySwap = h.Memory // none
	}
	if l := spec.Limits.CPUs; l > 0 {
		h.NanoCPUs = int64(min(max(l, 0.01), float64(d.info.NCPU)) * 1e9)
	}
	if l := spec.Limits.PIDs; l > 0 {
		pids := int64(l + ownPIDs)
		h.PidsLimit = &pids
	}
	if len(spec.GPUs) > 0 {
		ask := container.DeviceRequest{Capabilities: [][]string{{"gpu"}}}
		for _, g := range spec.GPUs {
			ask.DeviceIDs = append(ask.DeviceIDs, g.ID())
		}
		h.DeviceRequests = []container.DeviceRequest{ask}
	}
	return h
}

// has reports whether the engine has a security option.
func (d *Driver) has(option string) bool {
	return slices.ContainsFunc(d.info.SecurityOptions, func(o string) bool { return o == option || strings.HasPrefix(o, option+",") })
}

// writeOrder writes what process 1 is to do.
func (d *Driver) writeOrder(spec exec.Spec, img image) error {
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	log.Close()
	report := d.report(spec.ID)
	err = syscall.Mkfifo(filepath.Join(report, cage.ControlFile), 0o600)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the pipe by which attempt %s is told to end: %w", spec.ID, err)
	}
	if len(spec.Stdin) > 0 {
		if err := put(report, cage.StdinFile, spec.Stdin); err != nil {
			return err
		}
	}
	var forwards []cage.Forward
	for _, f := range spec.Forwards {
		forwards = append(forwards, cage.Forward(f))
	}
	o := cage.Order{UID: os.Getuid(), GID: os.Getgid(), Config: cage.Config{
		Argv: spec.Argv, Env: append(d.environment(spec.Env, img.env), exec.GPUEnv(spec.GPUs, true)...), Chdir: spec.Dir, Mask: spec.Mask,
		Logger: spec.Logger, Level: spec.Level, Output: spec.Limits.Output,
		Forwards: forwards, Dir: cage.InsideHold, Disk: spec.Limits.Disk, Wall: spec.Limits.Wall, Grace: spec.Grace,
		Rlimits: []cage.Rlimit{{Resource: syscall.RLIMIT_CORE, Max: 0}},
	}}
	if d.has("name=rootless") {
		o.UID, o.GID = 0, 0 // who is the user that the engine runs as
	}
	if o.Level == "" {
		o.Level = "info"
	}
	if n := spec.Limits.Files; n > 0 {
		o.Rlimits = append(o.Rlimits, cage.Rlimit{Resource: syscall.RLIMIT_NOFILE, Max: uint64(n)})
	}
	if n := spec.Limits.Disk; n > 0 {
		o.Rlimits = append(o.Rlimits, cage.Rlimit{Resource: syscall.RLIMIT_FSIZE, Max: uint64(n)})
	}
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return put(report, cage.OrderFile, b)
}

// put writes a file, whole or not at all.
func put(dir, name string, content []byte) error {
	f, err := os.CreateTemp(dir, name+".")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}

// environment puts together what the command finds: what the image says, unless
// env says otherwise.
func (d *Driver) environment(env, image []string) []string {
	var out []string
	path := ""
	for _, kv := range image {
		name, value, _ := strings.Cut(kv, "=")
		if name == "PATH" {
			path = value
		}
		if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") }) {
			out = append(out, kv)
		}
	}
	for _, kv := range env {
		value, is := strings.CutPrefix(kv, "PATH=")
		if before, ends := strings.CutSuffix(value, d.opts.Path); is && ends && path != "" && d.opts.Path != "" && (before == "" || strings.HasSuffix(before, ":")) {
			kv = "PATH=" + before + path
		}
		out = append(out, kv)
	}
	return out
}
