package cage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// maxOpened bounds the entries of a directory that is taken apart to make
// room for a mount point.
const maxOpened = 2000

// A view is a root file system under construction.
type view struct {
	root  string
	rooms []string // directories that open replaced; writable while we build
}

// view gives the calling thread a root of its own: the shown parts of the
// system, read-only, and places for what is an attempt's own: /proc, /dev/pts,
// /dev/shm, and unless it is full /tmp, the work directory and the mounts. The
// machine's root is gone from it afterwards.
func (t *template) view(c *Config, mounts []Mount, user bool) error {
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	v := &view{root: c.Hold}
	if err := mount("cage", v.root, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0755,size=16m"); err != nil {
		return err
	}
	for _, path := range c.Show {
		if err := v.show(path); err != nil {
			return err
		}
	}
	if err := v.system(user); err != nil {
		return err
	}
	if t.full && c.Dir != "" {
		if err := v.private(c); err != nil {
			return err
		}
	}
	for _, path := range c.Hide {
		if err := v.hide(path); err != nil {
			return err
		}
	}
	for _, m := range mounts {
		if err := t.mount(v, m); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		}
	}
	for _, path := range append(v.rooms, v.root) {
		if err := setReadOnly(path, false); err != nil {
			return err
		}
	}
	return v.enter()
}

// mount mounts m in a full view, and else makes a place for it.
func (t *template) mount(v *view, m Mount) error {
	if t.full {
		return v.mount(m)
	}
	at, err := v.spot(m)
	if err != nil {
		return err
	}
	t.places[m.Target] = strings.TrimPrefix(at, v.root)
	return nil
}

// show makes a file, directory or link of the machine visible at its own
// place. One that does not exist is passed over.
func (v *view) show(name string) error {
	fi, err := os.Lstat(name)
	if err != nil {
		return nil
	}
	if fi.Mode()&os.ModeSymlink != 0 {
		to, err := os.Readlink(name)
		if err != nil {
			return err
		}
		if dir := path.Dir(name); dir != "/" {
			if _, err := v.place(dir, true); err != nil {
				return err
			}
		}
		if err := os.Symlink(to, v.root+name); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		return nil
	}
	at, err := v.place(name, fi.IsDir())
	if err != nil {
		return err
	}
	return bindReadOnly(name, at)
}

// system makes /dev, and the places for what is each attempt's own.
func (v *view) system(user bool) error {
	for _, dir := range []string{"/proc", "/dev/pts", "/dev/shm", "/run", "/var", "/tmp", Home} {
		if err := os.MkdirAll(v.root+dir, 0o755); err != nil {
			return err
		}
	}
	if user {
		// The kernel lets a user namespace mount a /proc only where one can be
		// seen already. The attempt's own will cover it.
		if err := mount("/proc", v.root+"/proc", "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
			return err
		}
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		at := v.root + "/dev/" + name
		if err := touch(at); err != nil {
			return err
		}
		if err := mount("/dev/"+name, at, "", syscall.MS_BIND, ""); err != nil && name != "tty" {
			return err
		}
	}
	for _, link := range [][2]string{
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
		{"pts/ptmx", "/dev/ptmx"},
		{"../tmp", "/var/tmp"},
		{"../run", "/var/run"},
	} {
		if err := os.Symlink(link[0], v.root+link[1]); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// private binds the attempt's own directories.
func (v *view) private(c *Config) error {
	if err := mount(path.Join(c.Dir, WorkDir), v.root+Home, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	return mount(path.Join(c.Dir, TempDir), v.root+"/tmp", "", syscall.MS_BIND, "")
}

// hide covers a path, if it can be seen, with an empty directory or file.
func (v *view) hide(path string) error {
	at := v.root + path
	fi, err := os.Lstat(at)
	switch {
	case err != nil, fi.Mode()&os.ModeSymlink != 0:
		return nil
	case fi.IsDir():
		return mount("hidden", at, "tmpfs", syscall.MS_RDONLY|syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0555,size=4k")
	}
	return mount("/dev/null", at, "", syscall.MS_BIND, "")
}

func (v *view) mount(m Mount) error {
	at, err := v.spot(m)
	if err != nil {
		return err
	}
	if !m.Writable {
		return bindReadOnly(m.Source, at)
	}
	return mount(m.Source, at, "", syscall.MS_BIND|syscall.MS_REC, "")
}

// spot is the place for what m shows.
func (v *view) spot(m Mount) (string, error) {
	fi, err := os.Stat(m.Source)
	if err != nil {
		return "", err
	}
	return v.place(m.Target, fi.IsDir())
}

// place returns where in the machine's tree a thing is to be mounted so that
// it is seen at target, and makes a mount point there. Links inside the cage
// are followed as the cage sees them.
func (v *view) place(target string, dir bool) (string, error) {
	rest := strings.Split(strings.Trim(path.Clean(target), "/"), "/")
	at := "" // the part of target that is done, as the cage sees it
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = strings.TrimSuffix(at, "/"+path.Base(at))
			continue
		}
		next := v.root + at + "/" + name
		fi, err := os.Lstat(next)
		if errors.Is(err, os.ErrNotExist) {
			if err := v.make(at, name, dir || len(rest) > 0); err != nil {
				return "", err
			}
		} else if err != nil {
			return "", err
		} else if fi.Mode()&os.ModeSymlink != 0 {
			if links++; links > 40 {
				return "", syscall.ELOOP
			}
			to, err := os.Readlink(next)
			if err != nil {
				return "", err
			}
			if strings.HasPrefix(to, "/") {
				at = ""
			}
			rest = append(strings.Split(to, "/"), rest...)
			continue
		}
		at += "/" + name
	}
	if at == "" {
		return "", errors.New("the root cannot be a mount point")
	}
	return v.root + at, nil
}

// make makes a directory or an empty file. Where the machine's own directory
// is shown, which stays as it is, that directory is replaced by one of ours
// with the same things in it.
func (v *view) make(parent, name string, dir bool) error {
	create := func() error {
		if dir {
			return os.Mkdir(v.root+parent+"/"+name, 0o755)
		}
		return touch(v.root + parent + "/" + name)
	}
	err := create()
	if !errors.Is(err, syscall.EROFS) {
		return err
	}
	if err := v.open(parent); err != nil {
		return fmt.Errorf("make room in %s: %w", parent, err)
	}
	return create()
}

// open replaces a read-only directory by a copy in memory whose entries are
// those of the directory, mounted one by one.
func (v *view) open(path string) error {
	at := v.root + path
	d, err := os.Open(at)
	if err != nil {
		return err
	}
	defer d.Close()
	entries, err := d.ReadDir(maxOpened)
	if err != nil && err != io.EOF {
		return err
	}
	if len(entries) == maxOpened {
		return fmt.Errorf("it has %d entries or more", maxOpened)
	}
	if err := mount("room", at, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0755,size=16m"); err != nil {
		return err
	}
	v.rooms = append(v.rooms, at)
	// The directory itself is covered now; its descriptor still leads there.
	under := "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) + "/"
	for _, e := range entries {
		from, to := under+e.Name(), at+"/"+e.Name()
		var err error
		switch {
		case e.Type()&os.ModeSymlink != 0:
			var link string
			if link, err = os.Readlink(from); err == nil {
				err = os.Symlink(link, to)
			}
		case e.IsDir():
			if err = os.Mkdir(to, 0o755); err == nil {
				err = bindReadOnly(from, to)
			}
		case e.Type().IsRegular():
			if err = touch(to); err == nil {
				err = bindReadOnly(from, to)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// enter makes the view the root of this thread and lets go of the old one.
func (v *view) enter() error {
	if err := os.Chdir(v.root); err != nil {
		return err
	}
	if err := syscall.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	// The old root now lies over the new one, at the same place.
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the old root: %w", err)
	}
	return os.Chdir("/")
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s %s at %s: %w", kind, source, target, err)
	}
	return nil
}

// bindReadOnly shows source, and all that is mounted below it, at target.
func bindReadOnly(source, target string) error {
	if err := mount(source, target, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return err
	}
	return setReadOnly(target, true)
}

// remountReadOnly does what setReadOnly does on kernels without
// mount_setattr. Flags that a mount has must be given again, or a user
// namespace is not allowed to change it.
func remountReadOnly(path string, recursive bool) error {
	paths := []string{path}
	if recursive {
		table, err := os.ReadFile("/proc/thread-self/mountinfo")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) > 5 && strings.HasPrefix(f[4], path+"/") {
				paths = append(paths, strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(f[4]))
			}
		}
	}
	for _, p := range paths {
		var st syscall.Statfs_t
		if err := syscall.Statfs(p, &st); err != nil {
			return err
		}
		if err := mount("", p, "", remountFlags(&st), ""); err != nil {
			return err
		}
	}
	return nil
}

// remountFlags returns what makes a mount read-only and leaves it as it is
// otherwise.
func remountFlags(st *syscall.Statfs_t) uintptr {
	// The ST_ flags of statfs up to noatime are the MS_ ones; above, only
	// nodiratime and relatime differ in place.
	keep := uintptr(st.Flags) & (syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC)
	for _, f := range [][2]uintptr{{0x400, syscall.MS_NOATIME}, {0x800, syscall.MS_NODIRATIME}, {0x1000, syscall.MS_RELATIME}} {
		if uintptr(st.Flags)&f[0] != 0 {
			keep |= f[1]
		}
	}
	return syscall.MS_BIND | syscall.MS_REMOUNT | syscall.MS_RDONLY | keep
}

func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
