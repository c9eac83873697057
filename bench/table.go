package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A table collects what was measured.
type table struct {
	head []string
	rows []row
}

// A row is one measured value.
type row struct {
	part, what string
	value      string
	// control says what stands beside the value, and how the two compare.
	control string
	aim     string // empty: none, the row is there to be compared with
	met     bool
}

// load is how busy the machine is, as the kernel says: the processes that
// run or want to.
func load() string {
	data, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(data), " ")
	return first
}

// about notes the circumstances.
func (t *table) about(b *bench) {
	version, _ := exec.Command(b.binary, "version").Output()
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	t.head = []string{
		fmt.Sprintf("%s, %s, Linux %s, %d cores (%s), %s", strings.TrimSpace(string(version)), runtime.Version(),
			strings.TrimSpace(string(kernel)), runtime.NumCPU(), processor(), time.Now().UTC().Format("2006-01-02")),
		fmt.Sprintf("load of the machine before we began: %s; more than %d means that others have been measured too", load(), runtime.NumCPU()-1),
		fmt.Sprintf("SQLite, full synchronisation, limits off; medians of %d unless a row says otherwise; clients on the same machine", b.rounds),
	}
}

func processor() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}

// add adds a row and shows it at once, since the whole takes a while.
func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	fmt.Fprintf(os.Stderr, "  %s: %s  %s  %s %s\n", r.what, r.value, r.control, r.aim, r.verdict())
}

func (r row) verdict() string {
	switch {
	case r.aim == "":
		return ""
	case r.met:
		return "pass"
	}
	return "MISS"
}

func (t *table) print(w io.Writer) {
	for _, line := range t.head {
		fmt.Fprintln(w, line)
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "part\twhat\tmeasured\tcontrol\taim\t")
	for _, r := range t.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", r.part, r.what, r.value, r.control, r.aim, r.verdict())
	}
	_ = tw.Flush()
}

// rounds calls f n times and returns the median of what it returns.
func rounds(n int, f func() (float64, error)) (float64, error) {
	var all []float64
	for range n {
		v, err := f()
		if err != nil {
			return 0, err
		}
		all = append(all, v)
	}
	return median(all), nil
}

func median[T float64 | time.Duration](all []T) T { return quantile(all, 0.5) }

// quantile returns the value that a share q of all is not above.
func quantile[T float64 | time.Duration](all []T, q float64) T {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[min(int(q*float64(len(all))), len(all)-1)]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
