package cage

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A template is a thread with a view of the file system that attempts of the
// same kind begin with a copy of. A zygote that it has forked forks their
// processes 1; they count as children of the thread, and the kernel kills them
// when it ends.
type template struct {
	key    string
	zygote *zygote
	over   chan struct{} // closed when no attempt needs it any more
	// places says where the targets of mounts are in the view, when links
	// were followed; that of others is in what is mounted before them.
	places map[string]string
	full   bool // the attempt's own directories are in it: it serves but one
	built  time.Time
	users  int  // guarded by keeper.mu
	stale  bool // guarded by keeper.mu
}

const (
	// fresh is how long a view is used. What is shown is the machine's own,
	// but a file that was replaced, or a new mount, shows in a new view only.
	fresh = 10 * time.Second
	// maxTemplates bounds the views that wait for another attempt.
	maxTemplates = 16
)

// template returns a view for c. The caller gives it back with leave.
func (k *keeper) template(c *Config) (*template, error) {
	mounts, ok, err := rooted(c)
	if err != nil {
		return nil, err
	}
	if !ok {
		t, err := k.newTemplate(c, c.Mounts, "", true)
		if err != nil {
			return nil, err
		}
		t.users, t.stale = 1, true
		return t, nil
	}
	key, err := templateKey(c, mounts)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	if t := k.templates[key]; t != nil && time.Since(t.built) < fresh {
		t.users++
		k.mu.Unlock()
		return t, nil
	}
	k.mu.Unlock()
	// Several may be built at once; the last one stays.
	t, err := k.newTemplate(c, mounts, key, false)
	if err != nil {
		return nil, err
	}
	t.users = 1
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.templates[key]; old != nil {
		k.retire(key, old)
	}
	if len(k.templates) < maxTemplates {
		k.templates[key] = t
	} else {
		t.stale = true
	}
	return t, nil
}

// leave gives a template back when its attempt is over.
func (k *keeper) leave(t *template) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.users--; t.users == 0 && t.stale {
		t.end()
	}
}

// retire takes a template out of use. The caller holds mu.
func (k *keeper) retire(key string, t *template) {
	delete(k.templates, key)
	t.stale = true
	if t.users == 0 {
		t.end()
	}
}

// end lets go of the thread. Nobody uses the template, or will.
func (t *template) end() {
	t.zygote.end()
	close(t.over)
}

// prune ends templates that are too old to be used. The caller holds mu.
func (k *keeper) prune(now time.Time) {
	for key, t := range k.templates {
		if now.Sub(t.built) >= fresh {
			k.retire(key, t)
		}
	}
}

func inside(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// templateKey tells views apart, which have places for some mounts.
func templateKey(c *Config, mounts []Mount) (string, error) {
	key := struct {
		Plain             bool
		Show, Hide, Files []string
		Dirs              []string
	}{Plain: c.Plain, Show: c.Show, Hide: c.Hide}
	for _, m := range mounts {
		fi, err := os.Stat(m.Source)
		switch {
		case err != nil:
			return "", fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		case fi.IsDir():
			key.Dirs = append(key.Dirs, m.Target)
		default:
			key.Files = append(key.Files, m.Target)
		}
	}
	text, err := json.Marshal(key)
	return string(text), err
}

// newTemplate builds a view with places for some mounts, or with all of c.
func (k *keeper) newTemplate(c *Config, mounts []Mount, key string, full bool) (*template, error) {
	t := &template{key: key, over: make(chan struct{}), places: map[string]string{}, full: full, built: time.Now()}
	ready := make(chan error)
	go t.live(k, c, mounts, ready)
	return t, <-ready
}

// live owns a thread. It is never unlocked, so that it ends with this
// goroutine, and nothing else runs on it.
func (t *template) live(k *keeper, c *Config, mounts []Mount, ready chan<- error) {
	runtime.LockOSThread()
	k.setup.quicken()
	err := t.build(c, mounts, k.setup)
	if err == nil {
		t.zygote, err = hatch(k.arena, &k.image, &k.filter)
	}
	ready <- err
	if err != nil {
		return
	}
	wait(t.zygote.pid)
	k.abandon(t)
	<-t.over
}

// quicken gives the calling thread, and what it forks, the timer slack of
// commands.
func (s *Setup) quicken() { _ = prctl(prSetTimerSlack, s.Slack) }

// abandon takes a template out of use whose zygote was killed. Attempts that
// it has forked go on.
func (k *keeper) abandon(t *template) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.templates[t.key] == t {
		k.retire(t.key, t)
	}
}

func (t *template) build(c *Config, mounts []Mount, setup *Setup) error {
	if !c.Plain {
		if err := t.unshare(c, mounts, setup.User); err != nil {
			return err
		}
	}
	return dropBounds()
}

// unshare gives the calling thread namespaces with the view.
func (t *template) unshare(c *Config, mounts []Mount, user bool) error {
	if err := syscall.Unshare(syscall.CLONE_FS | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	// Every hosts file knows this name; a made-up one costs some programs
	// a look-up that times out.
	if err := syscall.Sethostname([]byte("localhost")); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	return t.view(c, mounts, user)
}

// complete adds the calls that complete a view for one attempt.
func (t *template) complete(s *script, trees []tree, net bool) {
	const safe = syscall.MS_NOSUID | syscall.MS_NOEXEC
	// Read-only, because root without any capability may still write to most
	// of /proc/sys.
	s.mount("proc", "/proc", "proc", safe|syscall.MS_NODEV|syscall.MS_RDONLY, "")
	s.mount("devpts", "/dev/pts", "devpts", safe, "newinstance,ptmxmode=0666,mode=0620")
	s.mount("shm", "/dev/shm", "tmpfs", safe|syscall.MS_NODEV, "mode=1777")
	for _, tr := range trees {
		at := tr.target
		if p := t.places[at]; p != "" {
			at = p
		}
		const emptyPath = 0x4 // MOVE_MOUNT_F_EMPTY_PATH
		dir := atFDCWD
		s.add("mount "+tr.source+" at "+tr.target, sysMoveMount, s.file(tr.fd), s.text(""), uintptr(dir), s.text(at), emptyPath)
		if tr.readOnlyFlags != 0 {
			s.mount("", at, "", tr.readOnlyFlags, "")
		}
	}
	if net {
		s.loopback()
	}
}

// A tree is a mount that is nowhere yet.
type tree struct {
	fd             int
	source, target string
	// readOnlyFlags make it read-only once it is mounted, where the kernel
	// cannot do that before.
	readOnlyFlags uintptr
}

// openTree makes a copy of a part of this process's tree, to be mounted
// elsewhere.
func openTree(m Mount) (tree, error) {
	t := tree{fd: -1, source: m.Source, target: m.Target}
	fd, err := cloneTree(m.Source, true)
	if err != nil {
		return t, &os.PathError{Op: "open the mount", Path: m.Source, Err: err}
	}
	attr := mountAttr{propagation: syscall.MS_PRIVATE}
	if !m.Writable {
		attr.set = attrReadOnly
	}
	if err = setTree(fd, &attr); err == syscall.ENOSYS && !m.Writable {
		// Linux before 5.12. What is mounted below it would stay writable.
		syscall.Close(fd)
		var st syscall.Statfs_t
		if err = syscall.Statfs(m.Source, &st); err == nil {
			t.readOnlyFlags = remountFlags(&st)
			fd, err = cloneTree(m.Source, false)
		}
	} else if err == syscall.ENOSYS {
		err = nil
	}
	if err != nil {
		if fd >= 0 {
			syscall.Close(fd)
		}
		return t, &os.PathError{Op: "prepare the mount", Path: m.Source, Err: err}
	}
	t.fd = fd
	return t, nil
}

// file passes a descriptor to process 1 and returns the number that it will
// have.
func (s *script) file(fd int) uintptr {
	s.files = append(s.files, fd)
	return uintptr(len(s.files) - 1)
}

// add adds a call of process 1.
func (s *script) add(what string, number uintptr, args ...uintptr) *call {
	return s.addTo(&s.setup, what, number, args...)
}

func (s *script) addTo(list *[]call, what string, number uintptr, args ...uintptr) *call {
	c := call{number: number, what: uint32(len(s.names))}
	c.args[len(c.args)-1] = uintptr(s.key) // the filter looks there
	copy(c.args[:], args)
	s.names = append(s.names, what)
	*list = append(*list, c)
	return &(*list)[len(*list)-1]
}

func (s *script) mount(source, target, kind string, flags uintptr, data string) {
	s.add(path.Join("mount "+kind, target), syscall.SYS_MOUNT, s.text(source), s.text(target), s.text(kind), flags, s.text(data))
}
