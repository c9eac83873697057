//go:build !portable

package sandbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

func TestHierarchies(t *testing.T) {
	for _, tt := range []struct {
		name, mounts, self string
		want               []hierarchy
	}{
		{
			"version 2, systemd",
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			"0::/system.slice/fairlead.service/server\n",
			[]hierarchy{{dir: "/sys/fs/cgroup/system.slice/fairlead.service/server"}},
		},
		{
			"version 1, and an empty tree of version 2",
			"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
				"38 31 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n" +
				"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"4:memory:/a/b\n1:cpu,cpuacct:/\n0::/\n",
			[]hierarchy{
				{controllers: []string{"cpu"}, dir: "/sys/fs/cgroup/cpu"},
				{controllers: []string{"memory"}, dir: "/sys/fs/cgroup/memory/a/b"},
				{dir: "/sys/fs/cgroup/unified"},
			},
		},
		{
			"a container that sees its own part",
			"35 31 0:32 /docker/123 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			"4:memory:/docker/123/child\n",
			[]hierarchy{{controllers: []string{"memory"}, dir: "/sys/fs/cgroup/memory/child"}},
		},
		{
			"a group that cannot be seen",
			"35 31 0:32 /docker/123 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			"4:memory:/docker/1234\n",
			nil,
		},
	} {
		got := hierarchies(tt.mounts, tt.self)
		if d := cmp.Diff(got, tt.want, cmp.AllowUnexported(hierarchy{})); d != "" {
			t.Errorf("%s: got - want +\n%s", tt.name, d)
		}
	}
}

func FuzzHierarchies(f *testing.F) {
	f.Add("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n", "1:cpu,cpuacct:/\n0::/\n")
	f.Add("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n", "0::/a\n")
	f.Fuzz(func(t *testing.T, mounts, self string) { hierarchies(mounts, self) })
}

// TestGroupsOfVersion2 checks that one group carries all limits there.
func TestGroupsOfVersion2(t *testing.T) {
	g := controllers{v2: "/cg", in2: []string{"memory", "cpu", "pids"}, prefix: "fairlead-1-"}
	got := g.limit("a", exec.Limits{Memory: 1 << 20, CPUs: 1.5, PIDs: 7})
	want := []cage.Group{{
		Parent: "/cg", Name: "fairlead-1-a", V2: true,
		Set: []cage.Setting{
			{File: "memory.max", Value: "1048576"},
			{File: "memory.swap.max", Value: "0", Optional: true},
			{File: "memory.oom.group", Value: "1", Optional: true},
			{File: "cpu.max", Value: "150000 100000"},
			{File: "pids.max", Value: "7"},
		},
		Events: "memory.events", Peak: "memory.peak",
	}}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("got - want +\n%s", d)
	}
}
