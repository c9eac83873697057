//go:build linux && !portable

package exectest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"fairlead/internal/exec"
)

// escapeVar makes a test binary the program inside a cage that tries to get out:
// a Target, as JSON.
const escapeVar = "FAIRLEAD_TEST_ESCAPE"

// A Target is what an escape wants to reach, all of it outside of the cage.
type Target struct {
	Dir, Secret      string // a directory of the machine, and a file in it
	Root             string // of the driver
	KeeperSocket     string // of the sandbox
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
	try  func(t Target) error
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
		{"read a file of the machine", func(t Target) error { return read(t.Secret) }},
		{"read it by way of process 1's root", func(t Target) error { return read("/proc/1/root" + t.Secret) }},
		{"read it by way of its own root", func(t Target) error { return read("/proc/self/root/../../.." + t.Secret) }},
		{"read it by way of the working directory", func(t Target) error { return read("../../../../../.." + t.Secret) }},
		{"read it by a handle", func(t Target) error {
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
		{"follow a link out", func(t Target) error {
			_ = os.Symlink(t.Dir, "out") // it is followed when the attempt is forgotten, or not
			return read("out/" + filepath.Base(t.Secret))
		}},
		{"read the shadow passwords", func(Target) error { return read("/etc/shadow") }},
		{"list the driver's directory", func(t Target) error { _, err := os.ReadDir(t.Root); return err }},
		{"list home directories", func(Target) error { _, err := os.ReadDir("/root"); return err }},
		{"watch a directory of the machine", func(t Target) error {
			fd, err := unix.InotifyInit1(0)
			if err != nil {
				return err
			}
			_, err = unix.InotifyAddWatch(fd, t.Dir, unix.IN_ALL_EVENTS)
			return err
		}},
		{"watch all of a file system", func(Target) error {
			return call(unix.SYS_FANOTIFY_INIT, unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_FID, 0)
		}},
		{"write to the password file", func(Target) error { return write("/etc/passwd", "x:x:0:0::/:/bin/sh\n") }},
		{"make a file in /usr", func(Target) error { return os.WriteFile("/usr/fairlead-escape", nil, 0o600) }},
		{"make a file in the root", func(Target) error { return os.WriteFile("/fairlead-escape", nil, 0o600) }},
		{"remove a program", func(Target) error { return os.Remove("/bin/true") }},
		{"write to its own program, which is mounted", func(Target) error { return write("/escape", "x") }},
		{"give a file away", func(Target) error {
			return errors.Join(os.WriteFile("mine", nil, 0o600), os.Chown("mine", 4711, 4711))
		}},

		// Mounts.
		{"mount a file system in memory", func(Target) error { return unix.Mount("x", "/tmp", "tmpfs", 0, "") }},
		{"mount another /proc", func(Target) error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"bind", func(Target) error { return unix.Mount("/usr", "/tmp", "", unix.MS_BIND, "") }},
		{"make the root writable", func(Target) error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
		{"make /usr writable", func(Target) error { return unix.Mount("", "/usr", "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
		{"make /usr writable, the new way", func(Target) error {
			return unix.MountSetattr(unix.AT_FDCWD, "/usr", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		}},
		{"unmount what hides", func(Target) error {
			return anyOf(
				func() error { return unix.Unmount("/etc/shadow", unix.MNT_DETACH) },
				func() error { return unix.Unmount("/proc", unix.MNT_DETACH) })
		}},
		{"copy a mount", func(Target) error { _, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE); return err }},
		{"move a mount", func(Target) error { return unix.MoveMount(unix.AT_FDCWD, "/usr", unix.AT_FDCWD, "/tmp", 0) }},
		{"open a file system", func(Target) error { _, err := unix.Fsopen("tmpfs", 0); return err }},
		{"change the root", func(Target) error { return unix.Chroot("/tmp") }},
		{"exchange the root", func(Target) error { return unix.PivotRoot("/", "/tmp") }},

		// Devices and the kernel.
		{"make a device of a disk", func(Target) error { return unix.Mknod("disk", unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0))) }},
		{"make a device of memory", func(Target) error { return unix.Mknod("mem", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 1))) }},
		{"open devices", func(Target) error {
			return anyOf(
				func() error { return read("/dev/mem") },
				func() error { return read("/dev/kmsg") },
				func() error { return read("/dev/vda") },
				func() error { return read("/dev/sda") },
				func() error { return write("/dev/tty", "x") })
		}},
		{"set the core pattern", func(Target) error { return write("/proc/sys/kernel/core_pattern", "|/bin/sh") }},
		{"set the program that loads modules", func(Target) error { return write("/proc/sys/kernel/modprobe", "/bin/sh") }},
		{"drop caches", func(Target) error { return write("/proc/sys/vm/drop_caches", "1") }},
		{"press a magic key", func(Target) error { return write("/proc/sysrq-trigger", "h") }},
		{"see /sys", func(Target) error { _, err := os.ReadDir("/sys"); return err }},
		{"write to control groups", func(Target) error {
			return anyOf(
				func() error { return write("/sys/fs/cgroup/cgroup.procs", "0") },
				func() error { return write("/sys/fs/cgroup/memory/cgroup.procs", "0") },
				func() error { return os.Mkdir("/sys/fs/cgroup/x", 0o755) })
		}},
		{"load a module", func(Target) error { return call(unix.SYS_INIT_MODULE, zero(), 10, text("")) }},
		{"load a module from a file", func(Target) error { return call(unix.SYS_FINIT_MODULE, 0, text(""), 0) }},
		{"load a kernel", func(Target) error { return call(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0) }},
		{"restart the machine's way to restart", func(Target) error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) }},
		{"swap", func(Target) error {
			return anyOf(func() error { return call(unix.SYS_SWAPON, text("/tmp/x"), 0) }, func() error { return call(unix.SYS_SWAPOFF, text("/tmp/x")) })
		}},
		{"account processes", func(Target) error { return unix.Acct("") }},
		{"read the kernel's log", func(Target) error { _, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, make([]byte, 100)); return err }},
		{"set the clock", func(Target) error {
			now := unix.NsecToTimeval(time.Now().UnixNano())
			return anyOf(func() error { return unix.Settimeofday(&now) }, func() error { return call(unix.SYS_CLOCK_SETTIME, 0, zero()) })
		}},
		{"set the host name", func(Target) error { return unix.Sethostname([]byte("escaped")) }},
		{"load a program into the kernel", func(Target) error { return call(unix.SYS_BPF, unix.BPF_MAP_CREATE, zero(), 64) }},
		{"count events of the processor", func(Target) error { return call(unix.SYS_PERF_EVENT_OPEN, zero(), 0, ^uintptr(0), ^uintptr(0), 0) }},
		{"handle page faults", func(Target) error { return call(unix.SYS_USERFAULTFD, 1) }},
		{"use rings", func(Target) error { return call(unix.SYS_IO_URING_SETUP, 8, zero()) }},
		{"use key rings", func(Target) error {
			return anyOf(
				func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true); return err },
				func() error {
					_, err := unix.AddKey("user", "x", []byte("y"), unix.KEY_SPEC_PROCESS_KEYRING)
					return err
				},
				func() error { _, err := unix.RequestKey("user", "x", "", 0); return err })
		}},
		{"have fixed addresses", func(Target) error { return call(unix.SYS_PERSONALITY, 0x40000) }},
		{"call as x32 does", func(Target) error {
			if runtime.GOARCH != "amd64" {
				return errors.New("there is no x32")
			}
			return call(0x40000000 + unix.SYS_GETPID)
		}},

		// Namespaces.
		{"be root of a user namespace", func(Target) error { return call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER) }},
		{"fork into a user namespace", func(Target) error {
			cmd := osexec.Command("/bin/true")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
			return cmd.Run()
		}},
		{"make namespaces", func(Target) error {
			return anyOf(
				func() error { return unix.Unshare(unix.CLONE_NEWNS) },
				func() error { return unix.Unshare(unix.CLONE_NEWNET) },
				func() error { return unix.Unshare(unix.CLONE_NEWPID) },
				func() error { return unix.Unshare(unix.CLONE_NEWIPC) },
				func() error { return unix.Unshare(unix.CLONE_NEWCGROUP) })
		}},
		{"enter namespaces", func(Target) error {
			fd, err := unix.PidfdOpen(os.Getppid(), 0)
			if err != nil {
				return err
			}
			return unix.Setns(fd, unix.CLONE_NEWNS|unix.CLONE_NEWNET)
		}},

		// Other processes.
		{"trace process 1", func(Target) error { return unix.PtraceAttach(1) }},
		{"seize process 1", func(Target) error { return unix.PtraceSeize(1) }},
		{"read process 1's memory", func(Target) error {
			_, err := unix.ProcessVMReadv(1, []unix.Iovec{{Base: &zeros[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
			return err
		}},
		{"read process 1's memory as a file", func(Target) error { _, err := os.Open("/proc/1/mem"); return err }},
		{"read process 1's map", func(Target) error { return read("/proc/1/maps") }},
		{"read process 1's environment", func(Target) error { return read("/proc/1/environ") }},
		{"read process 1's calls", func(Target) error { return read("/proc/1/syscall") }},
		{"read process 1's stack", func(Target) error { return read("/proc/1/stack") }},
		{"follow process 1's descriptors", func(Target) error {
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
		{"take a descriptor of process 1", func(Target) error {
			fd, err := unix.PidfdOpen(1, 0)
			if err != nil {
				return err
			}
			_, err = unix.PidfdGetfd(fd, 0, 0)
			return err
		}},
		{"see another task's environment", func(t Target) error {
			files, _ := filepath.Glob("/proc/[0-9]*/environ")
			for _, f := range files {
				if b, _ := os.ReadFile(f); f != "/proc/"+strconv.Itoa(os.Getpid())+"/environ" && bytes.Contains(b, []byte(t.VictimSecret)) {
					return nil
				}
			}
			return fmt.Errorf("not in %d processes", len(files))
		}},
		{"read another task's files", func(t Target) error { _, err := os.ReadDir(t.VictimDir); return err }},
		{"signal another task", func(t Target) error { return unix.Kill(t.Victim, 0) }},
		{"signal the keeper", func(t Target) error { return unix.Kill(t.Keeper, 0) }},
		{"see shared memory of others", func(Target) error {
			_, err := unix.SysvShmGet(4711, 0, 0)
			return err
		}},

		// Rights and limits.
		{"be another user", func(Target) error { return unix.Setresuid(4711, 4711, 4711) }},
		{"gain by a program's bits", func(Target) error {
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
		{"have a capability", func(Target) error {
			var have [2]unix.CapUserData
			if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &have[0]); err != nil {
				return err
			}
			if have == [2]unix.CapUserData{} {
				return errors.New("none")
			}
			return nil
		}},
		{"open more files", func(Target) error {
			return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 201, Max: 201})
		}},
		{"dump core", func(Target) error {
			return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 30, Max: 1 << 30})
		}},
		{"run before all others", func(Target) error { return unix.Setpriority(unix.PRIO_PROCESS, 0, -20) }},
		{"run in real time", func(Target) error {
			one := [1]int32{1}
			return call(unix.SYS_SCHED_SETSCHEDULER, 0, 1, uintptr(unsafe.Pointer(&one)))
		}},
		{"be spared when memory is short", func(Target) error { return write("/proc/self/oom_score_adj", "-1000") }},
		{"talk to hardware", func(Target) error {
			if runtime.GOARCH != "amd64" {
				return errors.New("there are no ports")
			}
			return call(172, 3) // iopl
		}},

		// The network, which is "none".
		{"reach the machine's loopback device", func(t Target) error { return dial("tcp", fmt.Sprint("127.0.0.1:", t.Port)) }},
		{"reach the metadata address", func(Target) error { return dial("tcp", "169.254.169.254:80") }},
		{"reach the world", func(Target) error { return dial("udp", "192.0.2.1:53") }},
		{"reach a socket of the machine", func(t Target) error { return dial("unix", t.Socket) }},
		{"reach the keeper's socket", func(t Target) error { return dial("unix", t.KeeperSocket) }},
		{"reach an abstract socket", func(t Target) error { return dial("unix", "@"+t.Abstract) }},
		{"send raw packets", func(Target) error {
			return anyOf(
				func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err },
				func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP); return err })
		}},
	}
}

// TryEscapes is for TestMain of the tests that call [Escape]: inside a cage it
// tries to get out, and does not return.
func TryEscapes() {
	given := os.Getenv(escapeVar)
	if given == "" {
		return
	}
	var t Target
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

// Bait makes what an escape wants to reach: a file, and servers that end with the
// test. Of Target it fills what has to do with them.
func Bait(t *testing.T) Target {
	t.Helper()
	dir := t.TempDir()
	to := Target{Dir: dir, Secret: filepath.Join(dir, "secret"), VictimSecret: "a secret in the environment", Abstract: fmt.Sprint("fairlead-escape-", os.Getpid())}
	if err := os.WriteFile(to.Secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	to.Port = tcp.Addr().(*net.TCPAddr).Port
	short, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	to.Socket = filepath.Join(short, "s")
	for _, name := range []string{to.Socket, "@" + to.Abstract} {
		l, err := net.Listen("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	return to
}

// Escape has a command try everything that it must not be able to do, but for
// what permitted names. Each try has to be refused.
func Escape(t *testing.T, d exec.Driver, to Target, permitted ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	given, err := json.Marshal(to)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	x, err := d.Run(t.Context(), exec.Spec{
		ID: "escape", Argv: []string{"/escape"}, Log: log, Network: "none",
		Env:    []string{escapeVar + "=" + string(given)},
		Mounts: []exec.Mount{{Source: self, Target: "/escape"}},
		Limits: exec.Limits{Files: 200, Wall: time.Hour},
	}, "", nil)
	text, _ := os.ReadFile(log)
	if err != nil || x.Code != 0 || x.Why != exec.ByItself {
		t.Fatalf("got %+v, %v, log\n%s", x, err, text)
	}
	tried := 0
	for raw := range strings.Lines(string(text)) {
		var l struct{ Event string }
		if err := json.Unmarshal([]byte(raw), &l); err != nil {
			t.Fatal(err)
		}
		f := strings.Split(l.Event, "\t")
		if len(f) != 3 || f[0] != "refused" && !slices.Contains(permitted, f[1]) {
			t.Error(l.Event)
			continue
		}
		tried++
		t.Logf("%-42s %s %s", f[1], f[0], f[2])
	}
	if want := len(escapes()); tried != want {
		t.Errorf("%d tries were refused, or may be permitted; want %d", tried, want)
	}
	if err := d.Forget("escape"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(to.Secret); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}
