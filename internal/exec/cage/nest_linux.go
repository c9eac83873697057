package cage

import (
	"errors"
	"os"
	"path"
	"strings"
	"syscall"
)

// own are the directories of an attempt's own, as mounts.
func (c *Config) own() []Mount {
	return []Mount{
		{Source: path.Join(c.Dir, WorkDir), Target: Home, Writable: true},
		{Source: path.Join(c.Dir, TempDir), Target: "/tmp", Writable: true},
	}
}

// rooted returns the mounts of c that need a place in the view: those that are
// in no other mount and in no directory of the attempt's own. The others are in
// what is mounted before them, and so may differ between attempts that share a
// view. ok is false if one of them is not there, so that only a view can be
// built that has it.
func rooted(c *Config) (list []Mount, ok bool, err error) {
	own := c.own()
	around := append(own, Mount{Source: own[1].Source, Target: "/var/tmp"}) // a link
	for _, m := range c.Mounts {
		if inside(m.Target, "/run") || inside(m.Target, "/var/run") {
			return nil, false, nil
		}
		nearest := -1
		for i, n := range around {
			if inside(m.Target, n.Target) && (nearest < 0 || len(n.Target) >= len(around[nearest].Target)) {
				nearest = i
			}
		}
		if nearest < 0 {
			list = append(list, m)
		} else {
			fi, err := os.Stat(m.Source)
			if err != nil {
				return nil, false, err
			}
			n := around[nearest]
			rel := strings.Trim(strings.TrimPrefix(m.Target, n.Target), "/")
			// In its own directories nobody but the attempt minds.
			err = findPlace(n.Source, rel, fi.IsDir(), nearest <= len(own))
			if err != nil {
				if errors.Is(err, errNoPlace) {
					return nil, false, nil
				}
				return nil, false, &os.PathError{Op: "make a place in", Path: n.Source, Err: err}
			}
		}
		around = append(around, m)
	}
	return list, true, nil
}

// errNoPlace says that what is to be covered by a mount is not there, or is a
// link or something else.
var errNoPlace = errors.New("there is no place for the mount")

// findPlace looks in a directory for the directory or file that a mount is to
// cover, or makes it. No links are followed: a command may have put them there.
func findPlace(root, rel string, dir, create bool) error {
	const follow = oPath | syscall.O_CLOEXEC
	at, err := syscall.Open(root, follow, 0)
	if err != nil {
		return err
	}
	defer func() { syscall.Close(at) }()
	names := strings.Split(rel, "/")
	if rel == "" {
		names = nil
	}
	for i, name := range names {
		isDir := dir || i < len(names)-1
		if create {
			if isDir {
				err = syscall.Mkdirat(at, name, 0o755)
			} else {
				err = syscall.Mknodat(at, name, syscall.S_IFREG|0o644, 0)
			}
			if err != nil && err != syscall.EEXIST && err != syscall.ENOTDIR {
				return err
			}
		}
		next, err := syscall.Openat(at, name, follow|syscall.O_NOFOLLOW, 0)
		if err == syscall.ENOENT || err == syscall.ENOTDIR {
			return errNoPlace
		}
		if err != nil {
			return err
		}
		syscall.Close(at)
		at = next
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(at, &st); err != nil {
		return err
	}
	switch kind := st.Mode & syscall.S_IFMT; {
	case dir && kind == syscall.S_IFDIR, !dir && kind != syscall.S_IFDIR && kind != syscall.S_IFLNK:
		return nil
	}
	return errNoPlace
}
