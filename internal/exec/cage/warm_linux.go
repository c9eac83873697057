package cage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"fairlead/internal/killpoint"
)

// A warm process is an interpreter that waits, with its modules imported, and
// forks the commands of attempts. A child of it is a child of this
// process, in the namespaces of a process 1 that a zygote has forked as for
// every attempt; it gives up all rights, says that it is ready, and waits for
// its order. It begins nothing before it has read one whole, so until then it
// can be dropped, and the attempt begun without it.
//
// What waits has the rights that it takes to enter namespaces. It knows nothing
// of any attempt: a request to it is descriptors, which it hands on, and no filter of
// its children's knows the key of others.
//
// It is sent messages over a socket, its descriptor 3. The first one is the
// number of the call that installs a filter of system calls, in four bytes of the
// machine's order, and the filter's instructions. It answers with a zero of
// four bytes when it waits. A request is a byte of flags and descriptors: one
// of the process 1, the command's standard input, output, log and result, one that takes
// notes, one that gives the order, and those of control groups: a directory
// if the flags say so, and files to write a zero to. The answer is
// the number of the child, or a negative error number, in four bytes.
//
// An order is its length in decimal, a zero byte, and fields with a zero byte
// between: the working directory, the number of the call that enters it, resource
// limits as "number:value" with spaces between, how many arguments there are, the arguments
// and the environment.
type warm struct {
	key   string
	pid   int
	built time.Time
	dead  chan struct{} // closed when it has ended

	mu   sync.Mutex // guards conn: one request at a time
	conn *os.File
}

// The kinds of notes that a child writes; they are numbers of its program's, too.
const (
	noteWarm   = 100 // it needs but its order
	noteCold   = 101 // it cannot be the command: errno
	noteAstray = 102 // as noteNoExec: call, errno
)

// Flags of a request.
const (
	warmNetwork = 1 << iota // the network namespace is new
	warmGroup               // born in a control group
)

// A warmth is a place for a warm process of one kind.
type warmth struct {
	now      *warm // nil when it is cold
	starting bool
	used     time.Time
	after    time.Time // when another may be started
}

const (
	// maxWarm bounds the kinds of warm processes.
	maxWarm = 4
	// warmFresh is how long one is used before another takes its place: what it
	// has read is not read again, and its children have the same layout
	// of memory.
	warmFresh = time.Minute
	// warmIdle is how long one stays that nobody uses.
	warmIdle = 30 * time.Second
	// warmAgain is when it is tried again what did not work.
	warmAgain = time.Minute
	// warmStart bounds the start of one, and warmFork a fork of one.
	warmStart = 20 * time.Second
	warmFork  = 2 * time.Second
)

// warm returns a process from which the command of c can be forked, or nil. The
// first attempt does not wait for it to start, nor does one when it is replaced.
func (k *keeper) warm(c *Config) *warm {
	if c.Warm == nil || c.Plain {
		return nil
	}
	key, program, ok := warmKey(c)
	if !ok {
		return nil
	}
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.warms[key]
	if h == nil {
		if len(k.warms) == maxWarm {
			return nil
		}
		h = &warmth{}
		k.warms[key] = h
	}
	h.used = now
	if !h.starting && !now.Before(h.after) && (h.now == nil || now.Sub(h.now.built) > warmFresh) {
		h.starting = true
		// It ends when the process has started, or could not be.
		go k.heat(h, key, program, &Config{
			Show: c.Show, Hide: c.Hide, Hold: c.Hold, Mounts: c.Warm.Mounts, Argv: c.Warm.Argv, Env: localeOf(c.Env),
		})
	}
	return h.now
}

// heat starts a warm process.
func (k *keeper) heat(h *warmth, key, program string, c *Config) {
	w := &warm{key: key, built: time.Now(), dead: make(chan struct{})}
	ready := make(chan error)
	go w.live(k, c, program, ready)
	err := <-ready
	if err == nil && !w.alone() {
		w.end()
		err = errors.New("the warm process has several threads")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	h.starting = false
	if err != nil {
		h.after = time.Now().Add(warmAgain)
		return
	}
	if h.now != nil {
		h.now.end()
	}
	if h.now = w; k.warms[key] != h {
		w.end() // nobody wants it any more
	}
}

// cool ends warm processes that nobody uses. The caller holds mu.
func (k *keeper) cool(now time.Time) {
	for key, h := range k.warms {
		if now.Sub(h.used) < warmIdle || h.starting {
			continue
		}
		delete(k.warms, key)
		if h.now != nil {
			h.now.end()
		}
	}
}

// chill takes a warm process out of use that has ended, or shall. Its children go on.
func (k *keeper) chill(w *warm) {
	w.end()
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.warms[w.key]; h != nil && h.now == w {
		h.now = nil
	}
}

// warmKey tells kinds of warm processes apart, and finds the program. ok is
// false for an environment in which a process is another from its start on.
func warmKey(c *Config) (key, program string, ok bool) {
	for _, e := range c.Env {
		for _, p := range []string{"LD_", "MALLOC_", "GLIBC_", "LOCPATH=", "GCONV_PATH="} {
			if strings.HasPrefix(e, p) {
				return "", "", false
			}
		}
	}
	if len(c.Warm.Argv) == 0 {
		return "", "", false
	}
	var st syscall.Stat_t
	for _, p := range candidates(c.Warm.Argv[0], c.Env) {
		if syscall.Stat(p, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG {
			program = p
			break
		}
	}
	if program == "" {
		return "", "", false
	}
	text, err := json.Marshal([]any{c.Warm, program, st.Dev, st.Ino, st.Size, st.Mtim.Nano(), c.Show, c.Hide, localeOf(c.Env)})
	return string(text), program, err == nil
}

// localeOf returns those variables that an interpreter reads at its start.
func localeOf(env []string) (list []string) {
	for _, e := range env {
		if strings.HasPrefix(e, "LANG=") || strings.HasPrefix(e, "LANGUAGE=") || strings.HasPrefix(e, "LC_") {
			list = append(list, e)
		}
	}
	return list
}

// live owns a thread, which is in the namespaces of the warm process and is
// never unlocked, so that it ends with this goroutine.
func (w *warm) live(k *keeper, c *Config, program string, ready chan<- error) {
	runtime.LockOSThread()
	k.setup.quicken()
	err := w.start(k, c, program)
	if err == nil {
		err = w.greet(k)
	}
	if err != nil && w.pid > 0 {
		_ = syscall.Kill(w.pid, syscall.SIGKILL)
		wait(w.pid)
		w.conn.Close()
	}
	ready <- err
	if err != nil {
		return
	}
	wait(w.pid)
	close(w.dead)
	k.chill(w)
}

// start builds a view of its own, and executes the interpreter there.
func (w *warm) start(k *keeper, c *Config, program string) error {
	t := &template{places: map[string]string{}, full: true}
	if err := t.unshare(c, c.Mounts, k.setup.User); err != nil {
		return err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a pair of sockets: %w", err)
	}
	defer syscall.Close(pair[1])
	if err := syscall.SetNonblock(pair[0], true); err != nil {
		syscall.Close(pair[0])
		return err
	}
	w.conn = os.NewFile(uintptr(pair[0]), "warm")
	// Nobody reads what it prints, and standard output of its children is a pipe, too.
	var out [2]int
	if err := syscall.Pipe2(out[:], syscall.O_CLOEXEC); err != nil {
		w.conn.Close()
		return fmt.Errorf("make a pipe: %w", err)
	}
	syscall.Close(out[0])
	defer syscall.Close(out[1])
	const chroot, ptrace, admin, setpcap = 18, 19, 21, 8
	w.pid, err = syscall.ForkExec(program, c.Argv, &syscall.ProcAttr{
		Dir: "/", Env: append([]string{"PATH=" + path.Dir(program)}, c.Env...),
		Files: []uintptr{k.null.Fd(), uintptr(out[1]), uintptr(out[1]), uintptr(pair[1])},
		Sys: &syscall.SysProcAttr{
			Setsid: true, Pdeathsig: syscall.SIGKILL, AmbientCaps: []uintptr{chroot, ptrace, admin, setpcap},
		},
	})
	if err != nil {
		w.conn.Close()
		return fmt.Errorf("execute %s: %w", program, err)
	}
	return nil
}

// greet sends the first message, and waits until the process does.
func (w *warm) greet(k *keeper) error {
	if err := w.conn.SetDeadline(time.Now().Add(warmStart)); err != nil {
		return err
	}
	text := binary.NativeEndian.AppendUint32(nil, sysSeccomp)
	for _, i := range newFilter(nil) {
		text = append(text, unsafe.Slice((*byte)(unsafe.Pointer(&i)), unsafe.Sizeof(i))...)
	}
	if _, err := w.conn.Write(text); err != nil {
		return err
	}
	_, err := w.answer()
	return err
}

// alone reports whether the process has but one thread. A fork has no other,
// and what those were about would never be done.
func (w *warm) alone() bool {
	threads, err := os.ReadDir(path.Join("/proc", strconv.Itoa(w.pid), "task"))
	return err == nil && len(threads) == 1
}

func (w *warm) answer() (int, error) {
	var b [4]byte
	n, err := w.conn.Read(b[:])
	if err != nil {
		return 0, err
	}
	if n < len(b) {
		return 0, errors.New("the warm process is gone")
	}
	return int(int32(binary.NativeEndian.Uint32(b[:]))), nil
}

// end lets a warm process go. It may be called more than once.
func (w *warm) end() { w.conn.Close() }

// A child is a command that was forked from a warm process and waits for its order.
type child struct {
	order *os.File
	ready bool // it needs but its order
	pid   int
	ended <-chan note // takes one: how it ended
}

// bear forks a child into the namespaces of the process 1 pid. It
// returns nil when that cannot be, and then there is none. When the child has
// ended, tell is called.
func (k *keeper) bear(w *warm, pid int, flags byte, fds []int, tell func()) *child {
	r, _, e := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if e != 0 {
		return nil
	}
	defer syscall.Close(int(r))
	var order [2]int
	if syscall.Pipe2(order[:], syscall.O_CLOEXEC) != nil {
		return nil
	}
	defer syscall.Close(order[0])
	if syscall.SetNonblock(order[1], true) != nil {
		syscall.Close(order[1])
		return nil
	}
	h := &child{order: os.NewFile(uintptr(order[1]), "order")}
	all := append([]int{int(r)}, fds[:5]...)
	all = append(append(all, order[0]), fds[5:]...)
	var err error
	killpoint.Other("template asked", w.pid)
	if h.pid, err = w.request(flags, all); err != nil {
		// It may have forked, and not been able to say so.
		_ = syscall.Kill(w.pid, syscall.SIGKILL)
		<-w.dead
		h.order.Close()
		collectStray(pid)
		return nil
	}
	if h.pid < 0 {
		h.order.Close()
		return nil
	}
	killpoint.Other("template forked", w.pid)
	killpoint.Other("child born", h.pid)
	h.ended = await(h.pid, tell)
	return h
}

func (w *warm) request(flags byte, fds []int) (int, error) {
	if len(fds) > 60 {
		return -int(syscall.E2BIG), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.conn.SetDeadline(time.Now().Add(warmFork)); err != nil {
		return 0, err
	}
	conn, err := w.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var problem error
	err = conn.Write(func(fd uintptr) bool {
		problem = syscall.Sendmsg(int(fd), []byte{flags}, syscall.UnixRights(fds...), nil, syscall.MSG_NOSIGNAL)
		return problem != syscall.EAGAIN
	})
	if err := errors.Join(err, problem); err != nil {
		return 0, err
	}
	return w.answer()
}

// collectStray ends a child of this process in the namespace of a process 1 of
// which nobody knows the number. The namespace could not end without it.
func collectStray(first int) {
	space := func(pid string) string {
		s, _ := os.Readlink("/proc/" + pid + "/ns/pid") // empty if it is gone
		return s
	}
	want := space(strconv.Itoa(first))
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || want == "" {
		return
	}
	for _, t := range threads {
		list, _ := os.ReadFile("/proc/self/task/" + t.Name() + "/children")
		for _, f := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(f); err == nil && pid != first && space(f) == want {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				wait(pid)
			}
		}
	}
}

// await collects a child of this process when it ends, and calls tell.
func await(pid int, tell func()) <-chan note {
	ended := make(chan note, 1)
	go func() { // ends with the child
		var st syscall.WaitStatus
		var ru syscall.Rusage
		collect := func(options int) bool {
			for {
				p, err := syscall.Wait4(pid, &st, options|syscall.WALL, &ru)
				if err != syscall.EINTR {
					return p == pid || err != nil
				}
			}
		}
		if !watchEnd(pid, func() bool { return collect(syscall.WNOHANG) }) {
			collect(0)
		}
		ended <- note{
			kind: noteEnd, status: uint32(st), rss: ru.Maxrss,
			cpu: microseconds(&ru.Utime) + microseconds(&ru.Stime),
		}
		tell()
	}()
	return ended
}

// watchEnd calls collect, without a thread that waits, until it reports true.
// It reports whether it did.
func watchEnd(pid int, collect func() bool) (done bool) {
	r, _, e := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if e != 0 {
		return false
	}
	if syscall.SetNonblock(int(r), true) != nil {
		syscall.Close(int(r))
		return false
	}
	f := os.NewFile(r, "child")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	_ = conn.Read(func(uintptr) bool {
		done = collect()
		return done
	})
	return done
}

// drop ends a child that has begun nothing.
func (h *child) drop() {
	h.order.Close()
	select {
	case <-h.ended:
		return
	default:
	}
	_ = syscall.Kill(h.pid, syscall.SIGKILL) // it is not collected yet, or has just been
	<-h.ended
}

// obey gives the child its order.
func (h *child) obey(o order) error {
	defer h.order.Close()
	limits := make([]string, len(o.limits))
	for i, l := range o.limits {
		limits[i] = fmt.Sprintf("%d:%d", l.Resource, l.Max)
	}
	fields := append([]string{o.dir, strconv.Itoa(int(o.change)), strings.Join(limits, " "), strconv.Itoa(len(o.argv))}, o.argv...)
	text := strings.Join(append(fields, o.env...), "\x00")
	_, err := h.order.WriteString(strconv.Itoa(len(text)) + "\x00" + text)
	return err
}

// An order is what a command is to be.
type order struct {
	dir    string
	change uint32 // the call that enters it, in script.names
	limits []Rlimit
	argv   []string
	env    []string
}
