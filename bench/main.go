// Command bench measures the real binary over HTTP and prints each number
// beside a control taken in the same run: a raw fsync, a raw spawn in new
// namespaces, a bare HTTP server that checks the same signature. Numbers from
// shared machines are noisy; the ratios are what to look at.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// A bench is one run of this program.
type bench struct {
	binary string
	dir    string // temporary; gone at the end
	rounds int    // of which the median counts
	tasks  int    // of the large graph
	runs   int    // of the full store
	spawns int

	table  table
	shared *server // for the parts that may share one
	large  string  // the id of a run of the large graph, see scale
	of     string  // the ARN of its workflow
}

// A part is measured by itself, so that -only can choose.
type part struct {
	name, about string
	measure     func(*bench) error
}

func parts() []part {
	return []part{
		{"startup", "from the spawn of the server to its first answer, idle memory", (*bench).startup},
		{"chain", "chains of 100 tasks, and how many tasks a second", (*bench).chain},
		{"scale", "processor time per task, 100,000 tasks beside 100", (*bench).scale},
		{"list", "pages of the large run's task instances; needs scale", (*bench).instances},
		{"history", "starts and lists with 1,000,000 ended runs in the store", (*bench).history},
		{"api", "signed GetTaskInstance beside a bare server", (*bench).api},
		{"waits", "memory of 1,000 tasks that wait for jobs elsewhere", (*bench).waits},
		{"console", "what pages of the console wait for, and what watching costs", (*bench).console},
		{"purge", "the API while old runs are removed", (*bench).purge},
		{"python", "functions of a code package beside a bare interpreter", (*bench).python},
		{"wdl", "scatters of WDL that do nothing, without a server", (*bench).wdl},
		{"spawn", "isolated processes beside raw spawns", (*bench).spawn},
	}
}

func main() {
	var b bench
	flag.StringVar(&b.binary, "binary", "bin/fairlead", "the program to measure")
	flag.IntVar(&b.rounds, "rounds", 5, "times that each thing is measured; the median counts")
	flag.IntVar(&b.tasks, "tasks", 100_000, "tasks of the large graph")
	flag.IntVar(&b.runs, "runs", 1_000_000, "ended runs of the full store")
	flag.IntVar(&b.spawns, "spawns", 400, "processes to spawn in a round")
	only := flag.String("only", "", "parts to measure, comma-separated: "+strings.Join(partNames(), ", "))
	control := flag.String("control", "", "serve as the bare server for this access key and secret; for our own use")
	flag.Parse()
	if *control != "" {
		key, secret, _ := strings.Cut(*control, ":")
		exit(serveControl(key, secret))
	}
	// What this program does while it collects its own garbage would count as
	// the server's, and as the control's.
	debug.SetGCPercent(1000)
	chosen, err := choose(*only)
	if err == nil {
		err = b.run(chosen)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func partNames() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// choose returns the parts that are named, and those that they need, in the
// order of parts.
func choose(only string) ([]part, error) {
	if only == "" {
		return parts(), nil
	}
	want := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		want[strings.TrimSpace(name)] = true
	}
	if want["list"] {
		want["scale"] = true
	}
	var chosen []part
	for _, p := range parts() {
		if want[p.name] {
			chosen = append(chosen, p)
			delete(want, p.name)
		}
	}
	if len(want) > 0 {
		return nil, fmt.Errorf("-only %s: there is no part %s; there are %s", only,
			strings.Join(slices.Sorted(maps.Keys(want)), ", "), strings.Join(partNames(), ", "))
	}
	return chosen, nil
}

func (b *bench) run(chosen []part) (err error) {
	if b.dir, err = os.MkdirTemp("", "fairlead-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	b.shared = &server{binary: b.binary, data: filepath.Join(b.dir, "shared")}
	defer b.shared.stop()
	b.table.about(b)
	var failed []error
	for _, p := range chosen {
		began := time.Now()
		fmt.Fprintf(os.Stderr, "%s: %s\n", p.name, p.about)
		if err := p.measure(b); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		}
		fmt.Fprintf(os.Stderr, "%s: took %s\n", p.name, time.Since(began).Round(time.Second))
	}
	b.table.print(os.Stdout)
	return errors.Join(failed...)
}

// server returns the shared server, which it starts the first time.
func (b *bench) server() (*server, error) {
	if b.shared.cmd != nil {
		return b.shared, nil
	}
	_, err := b.shared.start()
	return b.shared, err
}
