package exec

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// MaxMask bounds a text that is to be masked.
const MaxMask = 64 << 10

// CheckID refuses, with a flow.Invalid error, what cannot be a [Spec]'s ID.
func CheckID(id string) error {
	ok := id != "" && len(id) <= 200 && id != "." && id != ".."
	for _, c := range []byte(id) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-", c) >= 0)
	}
	if !ok {
		return flow.Errorf(flow.Invalid, "attempt id %.210q must be 1 to 200 of A-Z a-z 0-9 . _ -, and not . or ..", id)
	}
	return nil
}

// maxArgs bounds the bytes of arguments and environment together. The kernel
// has a bound of its own, and a worse message.
const maxArgs = 4 << 20

// Check refuses, with a flow.Invalid error, a spec that no driver can run as it
// is written. Drivers call it first.
func (s Spec) Check() error {
	if err := CheckID(s.ID); err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return flow.Errorf(flow.Invalid, "attempt %s: %s", s.ID, fmt.Sprintf(format, args...))
	}
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return bad("the command is empty")
	}
	size := 0
	for _, list := range [][]string{s.Argv, s.Env} {
		for _, a := range list {
			size += len(a) + 1
			if strings.IndexByte(a, 0) >= 0 {
				return bad("%.80q has a NUL byte, which no argument or variable can hold", a)
			}
		}
	}
	if size > maxArgs {
		return bad("arguments and environment have %d bytes; at most %d are possible", size, maxArgs)
	}
	for _, e := range s.Env {
		if i := strings.IndexByte(e, '='); i <= 0 {
			return bad("environment entry %.80q is not KEY=value", e)
		}
	}
	if !filepath.IsAbs(s.Log) {
		return bad("the log %q is not an absolute path", s.Log)
	}
	if s.Dir != "" && !filepath.IsAbs(s.Dir) {
		return bad("the directory %q is not an absolute path", s.Dir)
	}
	for _, m := range s.Mounts {
		if !filepath.IsAbs(m.Source) || !filepath.IsAbs(m.Target) {
			return bad("mount %q at %q: both must be absolute paths", m.Source, m.Target)
		}
		t := filepath.Clean(m.Target)
		if t == "/" || Within(t, "/proc") || Within(t, "/dev") {
			return bad("mount at %q: /, /proc and /dev cannot be replaced", m.Target)
		}
	}
	switch s.Network {
	case "", "host", "none":
	default:
		return bad("network %q is neither \"host\" nor \"none\"", s.Network)
	}
	if len(s.Forwards) > 0 && s.Network != "none" {
		return bad("forwards have a meaning only without network")
	}
	for _, f := range s.Forwards {
		listen, err := netip.ParseAddrPort(f.Listen)
		to, err2 := netip.ParseAddrPort(f.To)
		if err != nil || err2 != nil || !listen.Addr().IsLoopback() || listen.Port() == 0 || to.Port() == 0 || listen.Addr().Zone()+to.Addr().Zone() != "" {
			return bad("forward from %q to %q: expected IP addresses with ports, the first of loopback", f.Listen, f.To)
		}
	}
	if i := slices.IndexFunc(s.Mask, func(m string) bool { return m == "" || len(m) > MaxMask }); i >= 0 {
		return bad("a text to be masked has %d bytes; 1 to %d are possible", len(s.Mask[i]), MaxMask)
	}
	if wrong := checkGPUs(s.GPUs); wrong != "" {
		return bad("%s", wrong)
	}
	l := s.Limits
	if l.Memory < 0 || l.CPUs < 0 || l.PIDs < 0 || l.Files < 0 || l.Disk < 0 || l.Output < 0 || l.Wall < 0 || s.Grace < 0 {
		return bad("a limit is negative: %+v, grace %s", l, s.Grace)
	}
	return nil
}

// Within reports whether path is dir or below it. Both are clean.
func Within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
