//go:build !portable

package sandbox

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// controllers are the control groups in which this driver makes its own: those
// that the server is in, so that limits set on the server from outside hold
// for all it runs. They themselves are never changed.
type controllers struct {
	v1  map[string]string // controller: directory
	v2  string            // directory; empty without
	in2 []string          // controllers that v2 hands on
	why string            // why some controller is missing
	// prefix begins the names of our groups, so that servers beside each
	// other do not meet.
	prefix string
}

var controllerNames = [...]string{"memory", "cpu", "pids"}

func (g controllers) has(name string) bool {
	return g.v1[name] != "" || slices.Contains(g.in2, name)
}

func (g controllers) how(name string) string {
	if g.v1[name] != "" {
		return "control group, version 1, below " + g.v1[name]
	}
	return "control group, version 2, below " + g.v2
}

// A hierarchy is a mounted tree of control groups and our place in it.
type hierarchy struct {
	controllers []string // empty for version 2
	dir         string   // of the group this process is in
}

// exploreGroups finds out where groups can be made, by making one.
func exploreGroups(root string) controllers {
	g := controllers{v1: map[string]string{}, prefix: fmt.Sprintf("fairlead-%.4x-", sha256.Sum256([]byte(root)))}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	self, _ := os.ReadFile("/proc/self/cgroup")
	trees := hierarchies(string(mounts), string(self))
	var why []string
	for _, h := range trees {
		trial := filepath.Join(h.dir, g.prefix+"~trial")
		if err := os.Mkdir(trial, 0o755); err != nil && !os.IsExist(err) {
			why = append(why, err.Error())
			continue
		}
		_ = os.Remove(trial)
		if len(h.controllers) == 0 {
			if g.in2 = handedOn(h.dir); len(g.in2) > 0 {
				g.v2 = h.dir
			}
			continue
		}
		for _, c := range h.controllers {
			g.v1[c] = h.dir
		}
	}
	switch {
	case len(trees) == 0:
		g.why = "no control groups are mounted"
	case len(why) > 0:
		g.why = strings.Join(why, "; ")
	default:
		g.why = "the group that the server runs in does not hand the controller on (cgroup.subtree_control)"
	}
	return g
}

// hierarchies reads /proc/self/mountinfo and /proc/self/cgroup.
func hierarchies(mounts, self string) []hierarchy {
	var found []hierarchy
	paths := map[string]string{} // by controller; "" is version 2
	for line := range strings.Lines(self) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, c := range strings.Split(f[1], ",") {
			paths[c] = f[2]
		}
	}
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		f, t := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(t) < 3 {
			continue
		}
		h := hierarchy{}
		var path string
		switch t[0] {
		case "cgroup2":
			path, ok = paths[""]
		case "cgroup":
			for _, c := range strings.Split(t[2], ",") {
				if slices.Contains(controllerNames[:], c) {
					h.controllers = append(h.controllers, c)
				}
			}
			if len(h.controllers) == 0 {
				continue
			}
			path, ok = paths[h.controllers[0]]
		default:
			continue
		}
		// A mount may show only a part of the tree, from f[3] on.
		if !ok || !within(path, f[3]) {
			continue
		}
		h.dir = filepath.Join(f[4], strings.TrimPrefix(path, strings.TrimSuffix(f[3], "/")))
		found = append(found, h)
	}
	return found
}

// handedOn returns the controllers that a group of version 2 enables for the
// groups below it.
func handedOn(dir string) []string {
	var names []string
	list, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	for _, c := range strings.Fields(string(list)) {
		if slices.Contains(controllerNames[:], c) {
			names = append(names, c)
		}
	}
	return names
}

// limit returns the groups that an attempt needs for its limits.
func (g controllers) limit(id string, l exec.Limits) []cage.Group {
	type want struct {
		controller string
		wanted     bool
		v1, v2     cage.Group
	}
	const period = 100_000 // µs
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	quota := n(max(1000, int64(l.CPUs*period)))
	wants := []want{
		{"memory", l.Memory > 0, cage.Group{
			Set: []cage.Setting{
				{File: "memory.limit_in_bytes", Value: n(l.Memory)},
				{File: "memory.memsw.limit_in_bytes", Value: n(l.Memory), Optional: true},
			},
			Events: "memory.oom_control", Peak: "memory.max_usage_in_bytes",
		}, cage.Group{
			Set: []cage.Setting{
				{File: "memory.max", Value: n(l.Memory)},
				{File: "memory.swap.max", Value: "0", Optional: true},
				{File: "memory.oom.group", Value: "1", Optional: true},
			},
			Events: "memory.events", Peak: "memory.peak",
		}},
		{"cpu", l.CPUs > 0, cage.Group{
			Set: []cage.Setting{
				{File: "cpu.cfs_period_us", Value: n(period)},
				{File: "cpu.cfs_quota_us", Value: quota},
			},
		}, cage.Group{
			Set: []cage.Setting{{File: "cpu.max", Value: quota + " " + n(period)}},
		}},
		{"pids", l.PIDs > 0, cage.Group{
			Set: []cage.Setting{{File: "pids.max", Value: n(int64(l.PIDs))}},
		}, cage.Group{
			Set: []cage.Setting{{File: "pids.max", Value: n(int64(l.PIDs))}},
		}},
	}
	var groups []cage.Group
	both := cage.Group{Parent: g.v2, Name: g.prefix + id, V2: true}
	for _, w := range wants {
		switch {
		case !w.wanted:
		case g.v1[w.controller] != "":
			w.v1.Parent, w.v1.Name = g.v1[w.controller], g.prefix+id
			groups = append(groups, w.v1)
		case slices.Contains(g.in2, w.controller):
			both.Set = append(both.Set, w.v2.Set...)
			if w.v2.Events != "" {
				both.Events, both.Peak = w.v2.Events, w.v2.Peak
			}
		}
	}
	if len(both.Set) > 0 {
		groups = append(groups, both)
	}
	return groups
}
