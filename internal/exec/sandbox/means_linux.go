//go:build !portable

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// A kind is how much of a cage the kernel lets us build.
type kind int

const (
	plain    kind = iota // no namespaces
	userMode             // namespaces inside a user namespace of our own
	rootMode             // namespaces by right
)

// means is what this machine permits. It does not change.
type means struct {
	kind   kind
	why    string // why the kind is not a better one
	show   []string
	hide   []string
	groups controllers
	// filtered says that commands are refused system calls.
	filtered bool
}

func (m *means) plain() bool { return m.kind == plain }

// systemDirs are shown in every cage if they exist. The rest of the machine,
// /home and /root and /var among it, is not.
var systemDirs = [...]string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store", "/gnu/store",
}

// systemFiles are often links from a system directory to a place that is not
// shown; what they lead to is.
var systemFiles = [...]string{
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/localtime", "/etc/passwd", "/etc/group",
	"/etc/ssl/certs", "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
}

// explore finds out what the machine permits by doing it.
func (d *Driver) explore() (*means, error) {
	m := &means{show: systemDirs[:], hide: append([]string{d.opts.Root}, d.opts.Hide...)}
	for _, path := range systemFiles {
		real, err := filepath.EvalSymlinks(path)
		if err == nil && !shown(real) {
			m.show = append(m.show[:len(m.show):len(m.show)], real)
		}
	}
	m.show = append(m.show[:len(m.show):len(m.show)], d.opts.Show...)
	if os.Geteuid() == 0 {
		m.hide = append(m.hide, secrets("/etc")...)
	}
	m.groups = exploreGroups(d.opts.Root)

	kinds := []kind{userMode}
	if os.Geteuid() == 0 {
		kinds = []kind{rootMode, userMode}
	}
	var why []error
	if d.opts.Plain {
		kinds, why = nil, []error{errors.New("turned off by a setting")}
	}
	for _, m.kind = range kinds {
		err := d.try(m)
		if err == nil {
			m.why = errorText(why)
			return m, nil
		}
		why = append(why, err)
	}
	m.kind = plain
	m.why = errorText(why)
	if err := d.try(m); err != nil {
		return nil, fmt.Errorf("this machine cannot run commands at all: %w", err)
	}
	return m, nil
}

func errorText(errs []error) string {
	if len(errs) == 0 {
		return ""
	}
	return strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; ")
}

// try builds a cage and runs nothing in it.
func (d *Driver) try(m *means) error {
	dir, err := os.MkdirTemp(d.opts.Root, probePrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	status, _, err := m.spawn(cage.Setup{
		Root: d.opts.Root, Plain: m.plain(), User: m.kind == userMode,
		Probe: &cage.Config{
			Dir: dir, Hold: filepath.Join(d.opts.Root, holdName), Plain: m.plain(), Show: m.show, Hide: m.hide,
		},
	})
	m.filtered = status.Filtered
	return err
}

func shown(path string) bool {
	for _, dir := range systemDirs {
		if within(path, dir) {
			return true
		}
	}
	return false
}

// secrets returns what an ordinary user could not read in dir, so that a
// command does not read it either when it runs as root.
func secrets(dir string) []string {
	var found []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || fi.Mode()&os.ModeSymlink != 0 {
			continue
		}
		path := filepath.Join(dir, e.Name())
		switch {
		case fi.IsDir() && fi.Mode()&0o005 != 0o005, !fi.IsDir() && fi.Mode()&0o004 == 0:
			found = append(found, path)
		case fi.IsDir():
			found = append(found, secrets(path)...)
		}
	}
	return found
}

// attr says with which namespaces a keeper starts.
func (m *means) attr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if m.kind == plain {
		return a
	}
	a.Cloneflags = unix.CLONE_NEWNS
	if m.kind == userMode {
		a.Cloneflags |= unix.CLONE_NEWUSER
		uid, gid := os.Geteuid(), os.Getegid()
		// The same number inside and outside: a command need not find itself
		// root. The capabilities that root would have must then be kept
		// through exec by name.
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_SYS_PTRACE, unix.CAP_SYS_CHROOT}
	}
	return a
}

// limits translates limits to control groups where there are any, and to
// limits of each process elsewhere.
func (m *means) limits(id string, l exec.Limits) ([]cage.Group, []cage.Rlimit) {
	groups := m.groups.limit(id, l)
	// No core dumps: with one byte, unlike with none, not to a program either.
	limits := []cage.Rlimit{{Resource: unix.RLIMIT_CORE, Max: 1}}
	if l.Files > 0 {
		limits = append(limits, cage.Rlimit{Resource: unix.RLIMIT_NOFILE, Max: uint64(l.Files)})
	}
	if l.Disk > 0 {
		limits = append(limits, cage.Rlimit{Resource: unix.RLIMIT_FSIZE, Max: uint64(l.Disk)})
	}
	if l.Memory > 0 && !m.groups.has("memory") {
		limits = append(limits, cage.Rlimit{Resource: unix.RLIMIT_DATA, Max: uint64(l.Memory)})
	}
	// In a user namespace the user's other processes are not counted. Without one
	// they are, and a busy user's command could not fork.
	if l.PIDs > 0 && !m.groups.has("pids") && !m.plain() {
		limits = append(limits, cage.Rlimit{Resource: unix.RLIMIT_NPROC, Max: uint64(l.PIDs)})
	}
	return groups, limits
}

// Probe implements [exec.Driver].
func (d *Driver) Probe(ctx context.Context) (exec.Report, error) {
	m, err := d.look()
	if err != nil {
		return exec.Report{}, err
	}
	r := exec.Report{Driver: "sandbox"}
	add := func(name string, inUse bool, how string) {
		r.Measures = append(r.Measures, exec.Measure{Name: name, InUse: inUse, How: how})
	}
	in := m.kind != plain
	denied := "the kernel refused: " + m.why + ". Run as root, or permit unprivileged user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
	if d.opts.Plain {
		denied = "turned off by a setting: commands are plain processes"
	}
	say := func(name, how string) {
		if !in {
			how = denied
		}
		add(name, in, how)
	}
	say("pid namespace", "a command sees no process but its own, and none of them outlives it")
	say("mount namespace", "a root of its own with /tmp, /proc and /dev of its own")
	say("read-only system", "system directories are shown read-only; home directories and the server's data are not shown")
	say("ipc namespace", "no shared memory or queues with others")
	say("uts namespace", "a host name of its own")
	say("network namespace", "when a command asks for no network; otherwise it uses the machine's")
	say("forwards", "what a command without network may reach all the same")
	switch m.kind {
	case rootMode:
		add("user namespace", false, "not needed: the server is root, and commands lose all capabilities")
	case userMode:
		how := "a command has the server's user id and no rights beyond it"
		if m.why != "" {
			how += "; without one the kernel refused: " + m.why
		}
		add("user namespace", true, how)
	default:
		add("user namespace", false, denied)
	}
	add("no new privileges", true, "set-user-id programs gain nothing, all capabilities are dropped")
	how := "calls that only administrators need are refused, and programs of another processor (32 bits, x32)"
	if !m.filtered {
		how = "the kernel has no seccomp filters, or it is a processor whose calls we do not know"
	}
	add("system call filter", m.filtered, how)
	add("no core dumps", true, "RLIMIT_CORE")
	group := func(name, controller, otherwise string) {
		if m.groups.has(controller) {
			add(name, true, m.groups.how(controller))
			return
		}
		add(name, false, m.groups.why+"; "+otherwise)
	}
	group("memory limit", "memory", "each process is bounded by itself (RLIMIT_DATA) instead")
	group("cpu limit", "cpu", "commands share the processors as the kernel sees fit")
	pids := "processes are counted by user (RLIMIT_NPROC) instead"
	switch {
	case os.Geteuid() == 0:
		pids = "and root's processes are not bounded otherwise"
	case m.plain():
		pids = "and processes are not bounded otherwise, since those of the user's other programs would count"
	}
	group("pids limit", "pids", pids)
	add("open files limit", true, "RLIMIT_NOFILE of each process")
	add("file size limit", true, "RLIMIT_FSIZE")
	add("disk limit", true, cage.DiskMeasure)
	add("orphans are ended", true, "what a command leaves running is killed when it ends")
	add("outlives the server", true, "an attempt goes on when the server ends, and the next server takes it up")
	return r, nil
}
