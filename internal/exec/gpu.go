package exec

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A GPU is an accelerator of this machine that a command may have.
type GPU struct {
	// Index is its number among those of the machine, from 0.
	Index int
	// UUID is its name wherever it is, such as GPU-4f0a…; empty if not known.
	UUID string
	// Node is its device file; empty if this machine has none.
	Node string
}

// MaxGPUs bounds the accelerators of a machine.
const MaxGPUs = 64

var (
	gpuNode = regexp.MustCompile(`^nvidia([0-9]{1,3})$`)
	gpuUUID = regexp.MustCompile(`^GPU-[0-9a-fA-F-]{8,64}$`)
)

// FindGPUs returns the NVIDIA GPUs whose device files are in a directory, such
// as /dev, with the UUIDs that the driver's directory in /proc tells of them.
func FindGPUs(dev, proc string) ([]GPU, error) {
	entries, err := os.ReadDir(dev)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	uuids := gpuUUIDs(proc)
	var out []GPU
	for _, e := range entries {
		m := gpuNode.FindStringSubmatch(e.Name())
		if m == nil || len(out) == MaxGPUs {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		out = append(out, GPU{n, uuids[n], filepath.Join(dev, e.Name())})
	}
	slices.SortFunc(out, func(a, b GPU) int { return cmp.Compare(a.Index, b.Index) })
	return out, nil
}

// gpuUUIDs reads the UUIDs of GPUs by the minor numbers of their devices.
func gpuUUIDs(proc string) map[int]string {
	out := map[int]string{}
	names, _ := filepath.Glob(filepath.Join(proc, "gpus", "*", "information"))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // its number does as well
		}
		minor, uuid := -1, ""
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			value = strings.TrimSpace(value)
			switch strings.TrimSpace(key) {
			case "GPU UUID":
				uuid = value
			case "Device Minor":
				if n, err := strconv.Atoi(value); err == nil {
					minor = n
				}
			}
		}
		if minor >= 0 && gpuUUID.MatchString(uuid) {
			out[minor] = uuid
		}
	}
	return out
}

// GPUNodes returns the device files that a command needs which has some GPUs:
// theirs, and those beside them that are of all.
func GPUNodes(gpus []GPU) []string {
	var out []string
	for _, g := range gpus {
		if g.Node == "" {
			continue
		}
		if out == nil {
			for _, name := range []string{"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"} {
				at := filepath.Join(filepath.Dir(g.Node), name)
				if _, err := os.Stat(at); err == nil {
					out = append(out, at)
				}
			}
		}
		out = append(out, g.Node)
	}
	return out
}

// GPUEnv returns the variables by which programs find the GPUs that they may
// have; none without GPUs. alone says that the command can open no others: then
// it counts its own from 0.
func GPUEnv(gpus []GPU, alone bool) []string {
	if len(gpus) == 0 {
		return nil
	}
	var ids, counted []string
	known := true
	for i, g := range gpus {
		known = known && g.UUID != ""
		ids = append(ids, g.ID())
		counted = append(counted, strconv.Itoa(i))
	}
	cuda := ids
	if alone && !known {
		cuda = counted
	}
	return []string{"NVIDIA_VISIBLE_DEVICES=" + strings.Join(ids, ","), "CUDA_VISIBLE_DEVICES=" + strings.Join(cuda, ",")}
}

// ID is what tools of the vendor call the GPU.
func (g GPU) ID() string { return cmp.Or(g.UUID, strconv.Itoa(g.Index)) }

// checkGPUs says what is wrong with the GPUs of a spec; empty if nothing is.
func checkGPUs(gpus []GPU) string {
	seen := map[int]bool{}
	for _, g := range gpus {
		switch {
		case g.Index < 0 || seen[g.Index] || len(gpus) > MaxGPUs:
			return "its GPUs are not up to " + strconv.Itoa(MaxGPUs) + " different ones"
		case g.UUID != "" && !gpuUUID.MatchString(g.UUID):
			return "the GPU " + strconv.Quote(g.UUID) + " has no UUID"
		case g.Node != "" && !filepath.IsAbs(g.Node):
			return "the device " + strconv.Quote(g.Node) + " is not an absolute path"
		}
		seen[g.Index] = true
	}
	return ""
}
