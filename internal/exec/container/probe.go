package container

import (
	"context"
	"fmt"
	"strings"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
)

// Probe implements [exec.Driver].
func (d *Driver) Probe(context.Context) (exec.Report, error) {
	by := fmt.Sprintf("%s %s at %s", d.info.Name, d.info.ServerVersion, d.engine.DaemonHost())
	groups := "control groups, version " + d.info.CgroupVersion
	if d.info.CgroupVersion == "" {
		groups = "control groups"
	}
	r := exec.Report{Driver: "container"}
	add := func(name string, inUse bool, how string) {
		if !inUse {
			how = "the engine says that it cannot: " + strings.Join(d.info.Warnings, "; ")
		}
		r.Measures = append(r.Measures, exec.Measure{Name: name, InUse: inUse, How: how})
	}
	add("container", true, by)
	add("pid namespace", true, "a container for each attempt")
	add("mount namespace", true, "the image's files, and what is mounted")
	add("read-only system", true, "the image's files cannot be changed")
	add("ipc namespace", true, "a container for each attempt")
	add("uts namespace", true, "a container for each attempt")
	add("network namespace", true, "for commands without network; others have the machine's")
	add("forwards", true, "what a command without network may reach all the same, while the server is there")
	add("no new privileges", true, "and no capabilities")
	add("memory limit", d.info.MemoryLimit, groups+fmt.Sprintf(", with %d MiB for process 1", ownMemory>>20))
	add("cpu limit", d.info.CPUCfsQuota, groups)
	add("pids limit", d.info.PidsLimit, groups+fmt.Sprintf(", with %d for process 1", ownPIDs))
	add("open files limit", true, "resource limit")
	add("file size limit", true, "resource limit")
	add("disk limit", true, cage.DiskMeasure)
	add("orphans are ended", true, "process 1 ends them")
	add("outlives the server", true, "the engine keeps the containers")
	return r, nil
}
