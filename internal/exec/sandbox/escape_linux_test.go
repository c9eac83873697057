//go:build !portable

package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// escapeVar makes the test binary the program inside a cage that tries to get
// out: a target, as JSON.
const escapeVar = "FAIRLEAD_TEST_ESCAPE"

// A target is what an escape wants to reach, all of it outside of the cage.
type target struct {
	Dir, Secret      string // a directory of the machine, and a file in it
	Root             string // of the driver
	Keeper, Victim   int    // process numbers
	VictimDir        string
	VictimSecret     string // in its environment
	Port             int    // of a server on the loopback device
	Socket, Abstract string // of servers
}

// An escape is a try to do what a command must not. It succeeds when it
// returns nil.
type escape struct {
	name string
	try  func(t target) error
}

func call(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, e := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
		return e
	}
	return nil
}

func read(name string) error {
	b, err := os.ReadFile(name)
	if err == nil && len(b) == 0 {
		err = errors.New("empty")
	}
	return err
}

func write(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func dial(network, address string) error {
	conn, err := net.DialTimeout(network, address, 2*time.Second)
	if err == nil {
		conn.Close()
	}
	return err
}

// any of several tries is enough.
func anyOf(tries ...func() error) error {
	var errs []error
	for _, try := range tries {
		err := try()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

var zeros [4096]byte

func zero() uintptr { return uintptr(unsafe.Pointer(&zeros)) }

func text(s string) uintptr {
	p, err := unix.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	return uintptr(unsafe.Pointer(p))
}

// escapes are made one after another by one command.
func escapes() []escape {
	return []escape{
		// The machine's files.
		{"read a file of the machine", func(t target) error { return read(t.Secret) }},
		{"read it by way of process 1's root", func(t target) error { return read("/proc/1/root" + t.Secret) }},
		{"read it by way of its own root", func(t target) error { return read("/proc/self/root/../../.." + t.Secret) }},
		{"read it by way of the working directory", func(t target) error { return read("../../../../../.." + t.Secret) }},
		{"read it by a handle", func(t target) error {
			h := unix.NewFileHandle(1, make([]byte, 8))
			d, err := unix.Open("/", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			_, err = unix.OpenByHandleAt(d, h, unix.O_RDONLY)
			if err == unix.ESTALE { // it looked
				err = nil
			}
			return err
		}},
		{"follow a link out", func(t target) error {
			_ = os.Symlink(t.Dir, "out") // it is followed when the attempt is forgotten, or not
			return read("out/" + filepath.Base(t.Secret))
		}},
		{"read the shadow passwords", func(target) error { return read("/etc/shadow") }},
		{"list the driver's directory", func(t target) error { _, err := os.ReadDir(t.Root); return err }},
		{"list home directories", func(target) error { _, err := os.ReadDir("/root"); return err }},
		{"watch a directory of the machine", func(t target) error {
			fd, err := unix.InotifyInit1(0)
			if err != nil {
				return err
			}
			_, err = unix.InotifyAddWatch(fd, t.Dir, unix.IN_ALL_EVENTS)
			return err
		}},
		{"watch all of a file system", func(target) error {
			return call(unix.SYS_FANOTIFY_INIT, unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_FID, 0)
		}},
		{"write to the password file", func(target) error { return write("/etc/passwd", "x:x:0:0::/:/bin/sh\n") }},
		{"make a file in /usr", func(target) error { return os.WriteFile("/usr/fairlead-escape", nil, 0o600) }},
		{"make a file in the root", func(target) error { return os.WriteFile("/fairlead-escape", nil, 0o600) }},
		{"remove a program", func(target) error { return os.Remove("/bin/true") }},
		{"write to its own program, which is mounted", func(target) error { return write("/escape", "x") }},
		{"give a file away", func(target) error {
			return errors.Join(os.WriteFile("mine", nil, 0o600), os.Chown("mine", 4711, 4711))
		}},

		// Mounts.
		{"mount a file system in memory", func(target) error { return unix.Mount("x", "/tmp", "tmpfs", 0, "") }},
		{"mount another /proc", func(target) error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"bind", func(target) error { return unix.Mount("/usr", "/tmp", "", unix.MS_BIND, "") }},
		{"make the root writable", func(target) error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
		{"make /usr writable", func(target) error { return unix.Mount("", "/usr", "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
		{"make /usr writable, the new way", func(target) error {
			return unix.MountSetattr(unix.AT_FDCWD, "/usr", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		}},
		{"unmount what hides", func(target) error {
			return anyOf(
				func() error { return unix.Unmount("/etc/shadow", unix.MNT_DETACH) },
				func() error { return unix.Unmount("/proc", unix.MNT_DETACH) })
		}},
		{"copy a mount", func(target) error { _, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE); return err }},
		{"move a mount", func(target) error { return unix.MoveMount(unix.AT_FDCWD, "/usr", unix.AT_FDCWD, "/tmp", 0) }},
		{"open a file system", func(target) error { _, err := unix.Fsopen("tmpfs", 0); return err }},
		{"change the root", func(target) error { return unix.Chroot("/tmp") }},
		{"exchange the root", func(target) error { return unix.PivotRoot("/", "/tmp") }},

		// Devices and the kernel.
		{"make a device of a disk", func(target) error { return unix.Mknod("disk", unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0))) }},
		{"make a device of memory", func(target) error { return unix.Mknod("mem", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 1))) }},
		{"open devices", func(target) error {
			return anyOf(
				func() error { return read("/dev/mem") },
				func() error { return read("/dev/kmsg") },
				func() error { return read("/dev/vda") },
				func() error { return read("/dev/sda") },
				func() error { return write("/dev/tty", "x") })
		}},
		{"set the core pattern", func(target) error { return write("/proc/sys/kernel/core_pattern", "|/bin/sh") }},
		{"set the program that loads modules", func(target) error { return write("/proc/sys/kernel/modprobe", "/bin/sh") }},
		{"drop caches", func(target) error { return write("/proc/sys/vm/drop_caches", "1") }},
		{"press a magic key", func(target) error { return write("/proc/sysrq-trigger", "h") }},
		{"see /sys", func(target) error { _, err := os.ReadDir("/sys"); return err }},
		{"write to control groups", func(target) error {
			return anyOf(
				func() error { return write("/sys/fs/cgroup/cgroup.procs", "0") },
				func() error { return write("/sys/fs/cgroup/memory/cgroup.procs", "0") },
				func() error { return os.Mkdir("/sys/fs/cgroup/x", 0o755) })
		}},
		{"load a module", func(target) error { return call(unix.SYS_INIT_MODULE, zero(), 10, text("")) }},
		{"load a module from a file", func(target) error { return call(unix.SYS_FINIT_MODULE, 0, text(""), 0) }},
		{"load a kernel", func(target) error { return call(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0) }},
		{"restart the machine's way to restart", func(target) error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) }},
		{"swap", func(target) error {
			return anyOf(func() error { return call(unix.SYS_SWAPON, text("/tmp/x"), 0) }, func() error { return call(unix.SYS_SWAPOFF, text("/tmp/x")) })
		}},
		{"account processes", func(target) error { return unix.Acct("") }},
		{"read the kernel's log", func(target) error { _, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, make([]byte, 100)); return err }},
		{"set the clock", func(target) error {
			now := unix.NsecToTimeval(time.Now().UnixNano())
			return anyOf(func() error { return unix.Settimeofday(&now) }, func() error { return call(unix.SYS_CLOCK_SETTIME, 0, zero()) })
		}},
		{"set the host name", func(target) error { return unix.Sethostname([]byte("escaped")) }},
		{"load a program into the kernel", func(target) error { return call(unix.SYS_BPF, unix.BPF_MAP_CREATE, zero(), 64) }},
		{"count events of the processor", func(target) error { return call(unix.SYS_PERF_EVENT_OPEN, zero(), 0, ^uintptr(0), ^uintptr(0), 0) }},
		{"handle page faults", func(target) error { return call(unix.SYS_USERFAULTFD, 1) }},
		{"use rings", func(target) error { return call(unix.SYS_IO_URING_SETUP, 8, zero()) }},
		{"use key rings", func(target) error {
			return anyOf(
				func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true); return err },
				func() error {
					_, err := unix.AddKey("user", "x", []byte("y"), unix.KEY_SPEC_PROCESS_KEYRING)
					return err
				},
				func() error { _, err := unix.RequestKey("user", "x", "", 0); return err })
		}},
		{"have fixed addresses", func(target) error { return call(unix.SYS_PERSONALITY, 0x40000) }},
		{"call as x32 does", func(target) error {
			if runtime.GOARCH != "amd64" {
				return errors.New("there is no x32")
			}
			return call(0x40000000 + unix.SYS_GETPID)
		}},

		// Namespaces.
		{"be root of a user namespace", func(target) error { return call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER) }},
		{"fork into a user namespace", func(target) error {
			cmd := osexec.Command("/bin/true")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
			return cmd.Run()
		}},
		{"make namespaces", func(target) error {
			return anyOf(
				func() error { return unix.Unshare(unix.CLONE_NEWNS) },
				func() error { return unix.Unshare(unix.CLONE_NEWNET) },
				func() error { return unix.Unshare(unix.CLONE_NEWPID) },
				func() error { return unix.Unshare(unix.CLONE_NEWIPC) },
				func() error { return unix.Unshare(unix.CLONE_NEWCGROUP) })
		}},
		{"enter namespaces", func(target) error {
			fd, err := unix.PidfdOpen(os.Getppid(), 0)
			if err != nil {
				return err
			}
			return unix.Setns(fd, unix.CLONE_NEWNS|unix.CLONE_NEWNET)
		}},

		// Other processes.
		{"trace process 1", func(target) error { return unix.PtraceAttach(1) }},
		{"seize process 1", func(target) error { return unix.PtraceSeize(1) }},
		{"read process 1's memory", func(target) error {
			_, err := unix.ProcessVMReadv(1, []unix.Iovec{{Base: &zeros[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
			return err
		}},
		{"read process 1's memory as a file", func(target) error { _, err := os.Open("/proc/1/mem"); return err }},
		{"read process 1's map", func(target) error { return read("/proc/1/maps") }},
		{"read process 1's environment", func(target) error { return read("/proc/1/environ") }},
		{"read process 1's calls", func(target) error { return read("/proc/1/syscall") }},
		{"read process 1's stack", func(target) error { return read("/proc/1/stack") }},
		{"follow process 1's descriptors", func(target) error {
			fds, err := os.ReadDir("/proc/1/fd") // root may see how many there are
			for _, fd := range fds {
				if _, err = os.Readlink("/proc/1/fd/" + fd.Name()); err == nil {
					return nil
				}
				if f, err := os.Open("/proc/1/fd/" + fd.Name()); err == nil {
					return f.Close()
				}
			}
			return err
		}},
		{"take a descriptor of process 1", func(target) error {
			fd, err := unix.PidfdOpen(1, 0)
			if err != nil {
				return err
			}
			_, err = unix.PidfdGetfd(fd, 0, 0)
			return err
		}},
		{"see another task's environment", func(t target) error {
			files, _ := filepath.Glob("/proc/[0-9]*/environ")
			for _, f := range files {
				if b, _ := os.ReadFile(f); f != "/proc/"+strconv.Itoa(os.Getpid())+"/environ" && bytes.Contains(b, []byte(t.VictimSecret)) {
					return nil
				}
			}
			return fmt.Errorf("not in %d processes", len(files))
		}},
		{"read another task's files", func(t target) error { _, err := os.ReadDir(t.VictimDir); return err }},
		{"signal another task", func(t target) error { return unix.Kill(t.Victim, 0) }},
		{"signal the keeper", func(t target) error { return unix.Kill(t.Keeper, 0) }},
		{"see shared memory of others", func(target) error {
			_, err := unix.SysvShmGet(4711, 0, 0)
			return err
		}},

		// Rights and limits.
		{"be another user", func(target) error { return unix.Setresuid(4711, 4711, 4711) }},
		{"gain by a program's bits", func(target) error {
			b, err := os.ReadFile("/bin/cat")
			if err == nil {
				err = errors.Join(os.WriteFile("cat", b, 0o755), os.Chmod("cat", 0o4755|os.ModeSetuid))
			}
			if err != nil {
				return err
			}
			status, err := osexec.Command("./cat", "/proc/self/status").Output()
			if err == nil && !bytes.Contains(status, []byte("CapEff:\t0000000000000000")) {
				return nil
			}
			return errors.Join(err, errors.New("no capability"))
		}},
		{"have a capability", func(target) error {
			var have [2]unix.CapUserData
			if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &have[0]); err != nil {
				return err
			}
			if have == [2]unix.CapUserData{} {
				return errors.New("none")
			}
			return nil
		}},
		{"open more files", func(target) error {
			return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 201, Max: 201})
		}},
		{"dump core", func(target) error {
			return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 30, Max: 1 << 30})
		}},
		{"run before all others", func(target) error { return unix.Setpriority(unix.PRIO_PROCESS, 0, -20) }},
		{"run in real time", func(target) error {
			one := [1]int32{1}
			return call(unix.SYS_SCHED_SETSCHEDULER, 0, 1, uintptr(unsafe.Pointer(&one)))
		}},
		{"be spared when memory is short", func(target) error { return write("/proc/self/oom_score_adj", "-1000") }},
		{"talk to hardware", func(target) error {
			if runtime.GOARCH != "amd64" {
				return errors.New("there are no ports")
			}
			return call(172, 3) // iopl
		}},

		// The network, which is "none".
		{"reach the machine's loopback device", func(t target) error { return dial("tcp", fmt.Sprint("127.0.0.1:", t.Port)) }},
		{"reach the metadata address", func(target) error { return dial("tcp", "169.254.169.254:80") }},
		{"reach the world", func(target) error { return dial("udp", "192.0.2.1:53") }},
		{"reach a socket of the machine", func(t target) error { return dial("unix", t.Socket) }},
		{"reach the keeper's socket", func(t target) error { return dial("unix", t.Root+"/"+cage.SocketFile+".1.root") }},
		{"reach an abstract socket", func(t target) error { return dial("unix", "@"+t.Abstract) }},
		{"send raw packets", func(target) error {
			return anyOf(
				func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err },
				func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP); return err })
		}},
	}
}

// tryEscapes is what the program inside does.
func tryEscapes(given string) {
	var t target
	if err := json.Unmarshal([]byte(given), &t); err != nil {
		panic(err)
	}
	for _, e := range escapes() {
		if err := e.try(t); err != nil {
			fmt.Printf("refused\t%s\t%s\n", e.name, strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Printf("ESCAPED\t%s\t\n", e.name)
		}
	}
	os.Exit(0)
}

// TestEscape has a command try everything that it must not be able to do.
func TestEscape(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d := newDriver(t, root)
	needNamespaces(t, d)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	to := target{Dir: dir, Secret: filepath.Join(dir, "secret"), Root: root, VictimSecret: "a secret in the environment", Abstract: fmt.Sprint("fairlead-escape-", os.Getpid())}
	if err := os.WriteFile(to.Secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	to.Port = tcp.Addr().(*net.TCPAddr).Port
	short, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	to.Socket = filepath.Join(short, "s")
	for _, name := range []string{to.Socket, "@" + to.Abstract} {
		l, err := net.Listen("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}

	// Another task, beside.
	victim := exec.Spec{
		ID: "victim", Argv: []string{"/bin/sh", "-c", "echo secret > file; exec sleep 98768"}, Log: filepath.Join(t.TempDir(), "log"),
		Env: []string{"SECRET=" + to.VictimSecret},
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	started, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if x, err := d.Run(ctx, victim, "", func(string) error { close(started); return nil }); err != nil || x.Why != exec.Stopped {
			t.Errorf("the other task: got %+v, %v; want stopped", x, err)
		}
	}()
	<-started
	claim := claimOf(t, root, "victim")
	to.Keeper, to.Victim, to.VictimDir = claim.Keeper.PID, claim.PID, filepath.Join(root, "victim", cage.WorkDir)

	given, err := json.Marshal(to)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	x, err := d.Run(t.Context(), exec.Spec{
		ID: "escape", Argv: []string{"/escape"}, Log: log, Network: "none",
		Env:    []string{escapeVar + "=" + string(given)},
		Mounts: []exec.Mount{{Source: self, Target: "/escape"}},
		Limits: exec.Limits{Files: 200, Wall: time.Minute},
	}, "", nil)
	text, _ := os.ReadFile(log)
	if err != nil || x.Code != 0 || x.Why != exec.ByItself {
		t.Fatalf("got %+v, %v, log\n%s", x, err, text)
	}
	refused := 0
	for raw := range strings.Lines(string(text)) {
		var l struct{ Event string }
		if err := json.Unmarshal([]byte(raw), &l); err != nil {
			t.Fatal(err)
		}
		if f := strings.Split(l.Event, "\t"); len(f) == 3 && f[0] == "refused" {
			refused++
			t.Logf("%-42s %s", f[1], f[2])
		} else {
			t.Error(l.Event)
		}
	}
	if want := len(escapes()); refused != want {
		t.Errorf("%d tries were refused, want %d", refused, want)
	}
	if err := d.Forget("escape"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(to.Secret); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
	cancel(errors.New("enough"))
	<-done
}

// TestBombs checks that a command that takes all that it can harms itself
// alone: another runs beside it.
func TestBombs(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d := newDriver(t, root)
	needNamespaces(t, d)
	has := func(name string) bool {
		r, err := d.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Measures {
			if m.Name == name {
				return m.InUse
			}
		}
		return false
	}
	for i, tt := range []struct {
		name, needs, script string
		limits              exec.Limits
		why                 exec.Why
	}{
		{"forks", "pids limit", `f() { f & f & wait; }; f`, exec.Limits{PIDs: 30, Wall: 2 * time.Second}, exec.OutOfTime},
		{"memory", "memory limit", `head -c 1000000000 /dev/zero | tail -c 1000000000; exit 1`, exec.Limits{Memory: 32 << 20, Wall: time.Minute}, exec.OutOfMemory},
		{"what goes on", "pid namespace", `(trap '' HUP TERM; setsid setsid sleep 98769 < /dev/null > /dev/null 2>&1 &); nohup sleep 98769 &`, exec.Limits{}, exec.ByItself},
		{"what cannot be stopped", "pid namespace", `trap '' TERM INT HUP; while :; do (trap '' TERM; sleep 98769) & sleep 98769; done`, exec.Limits{Wall: time.Second}, exec.OutOfTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !has(tt.needs) {
				t.Skipf("NOT ENFORCED: %s", tt.needs)
			}
			spec := shell(dir, fmt.Sprint("bomb", i), tt.script)
			spec.Limits, spec.Grace = tt.limits, 200*time.Millisecond
			var x exec.Exit
			var err error
			done := make(chan struct{})
			go func() {
				defer close(done)
				x, err = d.Run(context.Background(), spec, "", nil)
			}()
			if x, err := d.Run(t.Context(), shell(dir, fmt.Sprint("beside", i), "exit 3"), "", nil); err != nil || x.Code != 3 {
				t.Errorf("beside it: got %+v, %v; want code 3", x, err)
			}
			<-done
			// A shell that cannot fork may end before its time.
			ended := tt.name == "forks" && err == nil
			if (err != nil || x.Why != tt.why) && !ended {
				t.Errorf("got %+v, %v; want why %q", x, err, tt.why)
			}
			if left := commands("98769"); len(left) > 0 {
				t.Errorf("still there: %q", left)
			}
		})
	}
}

// TestNothingIsLeft counts what there is of processes, mounts, control groups,
// directories and descriptors before and after many attempts;
// FAIRLEAD_ATTEMPTS says how many.
func TestNothingIsLeft(t *testing.T) {
	attempts := 100
	if n, err := strconv.Atoi(os.Getenv("FAIRLEAD_ATTEMPTS")); err == nil {
		attempts = n
	}
	root, dir := t.TempDir(), t.TempDir()
	d := newDriver(t, root)
	needNamespaces(t, d)
	one := func(i int) {
		spec := shell(dir, fmt.Sprint("a", i), "sleep 98770 & mkdir -p a/b /tmp/c; ln -s / l; echo x > a/b/c; exit 3")
		if i%3 == 0 {
			spec.Network = "none"
		}
		x, err := d.Run(context.Background(), spec, "", nil)
		if err != nil || x.Code != 3 {
			t.Errorf("%s: got %+v, %v; want code 3", spec.ID, x, err)
		}
		if err := d.Forget(spec.ID); err != nil {
			t.Error(err)
		}
	}
	one(0)
	before := count(t, root)
	jobs := make(chan int)
	done := make(chan struct{})
	for range 4 {
		go func() {
			for i := range jobs {
				one(i)
			}
			done <- struct{}{}
		}()
	}
	for i := range attempts {
		jobs <- i + 1
	}
	close(jobs)
	for range 4 {
		<-done
	}
	// What a killed process leaves to the kernel takes it a moment; the view
	// of the template may be replaced by another meanwhile.
	var after map[string]int
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		after = count(t, root)
		more := false
		for what, n := range after {
			more = more || n > before[what]+slack[what]
		}
		if !more {
			t.Logf("after %d attempts: %v, before %v", attempts, after, before)
			return
		}
		<-tick.C
	}
	t.Errorf("after %d attempts: %v, before %v", attempts, after, before)
}

// slack is what may be more: idle threads of the keeper, a template, and
// directories that wait to be used again.
var slack = map[string]int{"keeper's descriptors": 4, "keeper's children": 1, "directories": 12}

func count(t *testing.T, root string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, cage.KeeperFile))
	if err != nil {
		t.Fatal(err)
	}
	var k cage.Keeper
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	n := map[string]int{"processes": len(commands("98770")), "keeper's children": len(children(t, k.PID))}
	for what, name := range map[string]string{"mounts": "/proc/self/mountinfo", "keeper's mounts": fmt.Sprintf("/proc/%d/mountinfo", k.PID)} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n[what] = bytes.Count(b, []byte{'\n'})
	}
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", k.PID))
	n["keeper's descriptors"] = len(fds)
	for _, g := range claimedGroups(t, root) {
		list, _ := filepath.Glob(filepath.Join(filepath.Dir(g), filepath.Base(g[:strings.LastIndexByte(g, '-')])+"-*"))
		n["control groups"] += len(list)
	}
	err = filepath.WalkDir(root, func(_ string, e os.DirEntry, err error) error {
		if e != nil && e.IsDir() {
			n["directories"]++
		}
		return nil // it changes while we look
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// claimedGroups returns the control groups of the first attempt in the journal.
func claimedGroups(t *testing.T, root string) []string {
	t.Helper()
	return claimOf(t, root, "a0").Groups
}
