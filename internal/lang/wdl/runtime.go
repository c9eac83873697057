package wdl

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Resources are what a task asks for, by the keys of its runtime section as
// HealthOmics reads them, or of requirements and hints, which later versions
// have instead.
type Resources struct {
	// Images are those that the task may run in, the first that is to be had;
	// none: the task names none.
	Images []string
	CPUs   int   // at least 1
	Memory int64 // bytes, a whole number of GiB and at least one
	GPUs   int
	GPU    string // the kind of accelerator; empty without one
	Disk   int64  // bytes of scratch; 0: not said
	// MaxRetries is how often it is tried again, with twice the memory, after
	// it has run out of memory, and Preemptible how often after a fault that is
	// not its own.
	MaxRetries, Preemptible int
	// ReturnCodes are the exit codes that count as success, nil: zero alone.
	// AnyCode says that all do.
	ReturnCodes []int
	AnyCode     bool
	Timeout     time.Duration // 0: not said
	// Volatile says that the task's outputs are never taken from a cache.
	Volatile bool
	// Instance is the smallest machine of HealthOmics that has as much; empty
	// if none has.
	Instance string
	// Others are what is asked for instead, in this order, where there are not as
	// many GPUs. Of them only the amounts and the accelerator count.
	Others []Resources
}

// String returns what there must be room for.
func (r Resources) String() string {
	words := []string{plural(r.CPUs, "processor"), fmt.Sprintf("%d GiB of memory", r.Memory/gib)}
	if r.GPUs > 0 {
		words = append(words, plural(r.GPUs, "GPU"))
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// An Asked attribute of a task is one that a run's inputs have.
type Asked struct {
	Key   string
	Value Value
}

// Resources evaluates what a task asks for; the asked attributes take the place
// of its own.
func (v *Evaluator) Resources(t *Task, asked ...Asked) (Resources, error) {
	r := Resources{CPUs: 1, Memory: gib, Preemptible: defaultRetries}
	for _, a := range slices.Concat(t.Hints, t.Requirements, t.Runtime) {
		x, err := v.Expr(a.Value)
		if err != nil {
			if slices.ContainsFunc(t.Hints, func(h Attr) bool { return h.Key == a.Key }) {
				continue // a hint of others may be anything
			}
			return r, err
		}
		if x == nil {
			continue
		}
		if err := r.set(v, a.Key.Text, x); err != nil {
			return r, &Fault{a.Value.At(), fmt.Errorf("%s: %w", a.Key.Text, err)}
		}
	}
	for _, a := range asked {
		if a.Value == nil {
			continue
		}
		if err := r.set(v, a.Key, a.Value); err != nil {
			return r, fmt.Errorf("the run's inputs ask for %s: %w", a.Key, err)
		}
	}
	for _, a := range t.Meta {
		if lit, ok := a.Value.(*BoolLit); ok && a.Key.Text == "volatile" {
			r.Volatile = lit.Value
		}
	}
	r.Instance = instance(r.CPUs, r.Memory, r.GPUs, r.GPU)
	return r, nil
}

const gib = 1 << 30

// set reads one key.
func (r *Resources) set(v *Evaluator, key string, x Value) (err error) {
	switch key {
	case "docker", "container":
		r.Images, err = images(x)
	case "cpu":
		var f float64
		f, err = amount(x)
		r.CPUs = int(max(1, math.Ceil(f)))
		if f > 10_000 {
			return fmt.Errorf("%v processors are more than any machine has", f)
		}
	case "memory":
		var n int64
		n, err = Bytes(x)
		r.Memory = max(1, (n+gib-1)/gib) * gib
	case "acceleratorType", "gpuType":
		r.GPU, err = Text(x)
		r.GPUs = max(r.GPUs, 1)
	case "acceleratorCount", "gpuCount":
		r.GPUs, err = count(x, 64)
	case "gpu":
		if b, ok := x.(bool); ok && b {
			r.GPUs = max(r.GPUs, 1)
		}
	case "disks", "disk":
		r.Disk, err = disks(x)
	case "maxRetries", "max_retries":
		r.MaxRetries, err = count(x, maxRetries)
	case "preemptible":
		r.Preemptible, err = count(x, maxRetries)
	case "returnCodes", "return_codes", "continueOnReturnCode":
		r.ReturnCodes, r.AnyCode, err = codes(x)
	case "omicsTimeout":
		r.Timeout, err = timeout(x)
	case "omicsResourceFallbackOrder":
		return r.fallback(x)
	}
	return err
}

func images(x Value) ([]string, error) {
	if l, ok := x.(*List); ok {
		return texts(l)
	}
	s, err := Text(x)
	if s == "" || s == "*" { // any will do
		return nil, err
	}
	return []string{s}, err
}

func amount(x Value) (float64, error) {
	if f, ok := float(x); ok {
		return f, nil
	}
	s, _ := text(x)
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0, fmt.Errorf("expected a number, found %s", quote(s))
	}
	return f, nil
}

func count(x Value, most int) (int, error) {
	f, err := amount(x)
	switch {
	case err != nil:
	case f != math.Trunc(f) || f < 0:
		return 0, fmt.Errorf("expected a whole number, 0 or more; found %v", f)
	case f > float64(most):
		return most, nil
	}
	return int(f), err
}

var quantity = regexp.MustCompile(`^\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*$`)

// Bytes reads an amount of memory: a number of bytes, or a text such as
// "4 GiB", "4GB" or "4G".
func Bytes(x Value) (int64, error) {
	if f, ok := float(x); ok {
		return whole(f)
	}
	s, _ := text(x)
	m := quantity.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf(`expected an amount such as "4 GiB", found %s`, quote(s))
	}
	unit := m[2]
	if unit == "" {
		unit = "B"
	}
	times, ok := unitNamed(unit)
	if !ok {
		return 0, fmt.Errorf("no unit: %s; expected B, KB, MB, GB, TB, KiB, MiB, GiB or TiB", quote(unit))
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, err
	}
	return whole(f * times)
}

func whole(f float64) (int64, error) {
	if !(f >= 0 && f < 1<<60) {
		return 0, fmt.Errorf("%v bytes are more than any machine has", f)
	}
	return int64(math.Ceil(f)), nil
}

// disks adds up amounts such as "local-disk 100 SSD", of GiB if nothing else is
// said.
func disks(x Value) (int64, error) {
	var all []string
	if l, ok := x.(*List); ok {
		var err error
		if all, err = texts(l); err != nil {
			return 0, err
		}
	} else if s, ok := text(x); ok {
		all = strings.Split(s, ",")
	}
	sum := int64(0)
	for _, one := range all {
		words := strings.Fields(one)
		for i, w := range words {
			unit := "GiB"
			m := quantity.FindStringSubmatch(w)
			if m == nil {
				continue
			}
			if m[2] != "" {
				unit = m[2]
			} else if i+1 < len(words) && units[words[i+1]] != 0 {
				unit = words[i+1]
			}
			n, err := Bytes(m[1] + " " + unit)
			if err != nil {
				return 0, err
			}
			sum += n
			break
		}
	}
	return sum, nil
}

func codes(x Value) (list []int, every bool, err error) {
	if s, ok := x.(string); ok && s == "*" {
		return nil, true, nil
	}
	if b, ok := x.(bool); ok {
		return nil, b, nil
	}
	items := []Value{x}
	if l, ok := x.(*List); ok {
		items = l.Items
	}
	for _, it := range items {
		n, err := count(it, 255)
		if err != nil {
			return nil, false, err
		}
		list = append(list, n)
	}
	return list, false, nil
}

// timeout reads seconds or a text such as "1h30m": whole minutes, rounded
// down, and at least one.
func timeout(x Value) (time.Duration, error) {
	var d time.Duration
	if f, err := amount(x); err == nil {
		d = time.Duration(min(f, 1e9)) * time.Second
	} else {
		s, _ := text(x)
		if d, err = time.ParseDuration(strings.ReplaceAll(s, " ", "")); err != nil {
			return 0, fmt.Errorf(`expected seconds or a time such as "1h30m", found %s`, quote(s))
		}
	}
	if d < time.Minute {
		return 0, fmt.Errorf("%v is less than a minute", d)
	}
	return d.Truncate(time.Minute), nil
}

// fallback takes the first profile: nothing here is ever out of capacity for
// good.
func (r *Resources) fallback(x Value) error {
	l, ok := x.(*List)
	if !ok || len(l.Items) < 1 || len(l.Items) > 10 {
		return fmt.Errorf("expected an array of 1 to 10 maps")
	}
	for i, it := range l.Items {
		p := Resources{CPUs: 1, Memory: gib}
		keys, values := []string(nil), []Value(nil)
		switch it := it.(type) {
		case *Record:
			keys, values = it.Names, it.Values
		case *Dict:
			keys, _ = texts(&List{Items: it.Keys})
			values = it.Values
		default:
			return fmt.Errorf("profile %d: expected a map, found %s", i+1, kindOf(it))
		}
		for k, key := range keys {
			switch key {
			case "acceleratorType", "acceleratorCount", "cpu", "memory":
				if err := p.set(nil, key, values[k]); err != nil {
					return fmt.Errorf("profile %d: %s: %w", i+1, key, err)
				}
			case "omicsResourceWaitTimeoutInMin":
			default:
				return fmt.Errorf("profile %d: no such key: %q", i+1, key)
			}
		}
		if i == 0 {
			r.CPUs, r.Memory, r.GPUs, r.GPU = p.CPUs, p.Memory, p.GPUs, p.GPU
		} else {
			r.Others = append(r.Others, p)
		}
	}
	return nil
}

// sizes are the sizes of HealthOmics' machines: how many processors each has.
// Those of families c, m and r have 2, 4 and 8 GiB for each of them.
var sizes = []struct {
	name string
	cpus int
}{
	{"large", 2}, {"xlarge", 4}, {"2xlarge", 8}, {"4xlarge", 16}, {"8xlarge", 32}, {"12xlarge", 48}, {"16xlarge", 64},
	{"24xlarge", 96}, {"32xlarge", 128}, {"48xlarge", 192},
}

// A gpuSize is a machine with accelerators.
type gpuSize struct {
	name       string
	cpus, gpus int
	memory     map[string]int // GiB, by family
}

var gpuSizes = []gpuSize{
	{"xlarge", 4, 1, map[string]int{"g4dn": 16, "g5": 16, "g6": 16, "g6e": 32}},
	{"2xlarge", 8, 1, map[string]int{"g4dn": 32, "g5": 32, "g6": 32, "g6e": 64}},
	{"4xlarge", 16, 1, map[string]int{"g4dn": 64, "g5": 64, "g6": 64, "g6e": 128}},
	{"8xlarge", 32, 1, map[string]int{"g4dn": 128, "g5": 128, "g6": 128, "g6e": 256}},
	{"12xlarge", 48, 4, map[string]int{"g4dn": 192, "g5": 192, "g6": 192, "g6e": 384}},
	{"16xlarge", 64, 1, map[string]int{"g4dn": 256, "g5": 256, "g6": 256, "g6e": 512}},
	{"24xlarge", 96, 4, map[string]int{"g5": 384, "g6": 384, "g6e": 768}},
}

// accelerators are the families that have each kind of accelerator, the one
// that is taken first first.
var accelerators = map[string][]string{
	"nvidia-tesla-t4": {"g4dn"}, "nvidia-tesla-t4-a10g": {"g4dn", "g5"}, "nvidia-tesla-a10g": {"g5"},
	"nvidia-t4-a10g-l4": {"g6", "g5", "g4dn"}, "nvidia-l4-a10g": {"g6", "g5"}, "nvidia-l4": {"g6"}, "nvidia-l40s": {"g6e"},
}

// instance returns the smallest machine that has as much: the fewest
// processors first, then the family with the least memory.
func instance(cpus int, memory int64, gpus int, gpu string) string {
	need := int((memory + gib - 1) / gib)
	if gpus > 0 {
		families := accelerators[gpu]
		if gpu == "" {
			families = []string{"g4dn", "g5", "g6", "g6e"}
		}
		for _, s := range gpuSizes {
			for _, family := range families {
				if s.memory[family] >= need && s.cpus >= cpus && s.gpus >= gpus {
					return "omics." + family + "." + s.name
				}
			}
		}
		return ""
	}
	type machine struct {
		name        string
		cpus, perTo int
	}
	var fits []machine
	for _, s := range sizes {
		for i, family := range []string{"c", "m", "r"} {
			if s.cpus >= cpus && s.cpus<<(i+1) >= need {
				fits = append(fits, machine{"omics." + family + "." + s.name, s.cpus, i})
			}
		}
	}
	if len(fits) == 0 {
		return ""
	}
	return slices.MinFunc(fits, func(a, b machine) int {
		return cmp.Or(cmp.Compare(a.cpus, b.cpus), cmp.Compare(a.perTo, b.perTo))
	}).name
}
