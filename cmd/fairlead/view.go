package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"fairlead/internal/engine"
	"fairlead/internal/flow"
)

// A view shows how a run goes: a table that is redrawn on a terminal, a line
// for each change elsewhere.
type view struct {
	out  io.Writer
	live bool
	// label returns the name that a task is shown by, which is empty of what
	// is not shown.
	label func(flow.Task) string

	mu    sync.Mutex
	id    flow.RunID // the run to follow; empty until it is known
	early []engine.Step
	run   flow.Run
	tasks []flow.Task
	shown []string // labels of tasks
	names int      // width of the longest label
	drawn int      // lines on the screen that the next drawing replaces
	moves []flow.Task
	dirty bool
	quit  chan struct{}
	done  chan struct{}
}

// isTerminal reports whether f is one that understands escape codes.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" && os.Getenv("NO_COLOR") == ""
}

// newView returns a view that draws until it is closed. Lines are for when
// something else is printed meanwhile, which a table would be drawn over.
func newView(out *os.File, lines bool, label func(flow.Task) string) *view {
	v := &view{out: out, live: !lines && isTerminal(out), label: label, quit: make(chan struct{}), done: make(chan struct{})}
	go v.loop()
	return v
}

// ownID shows tasks by their ids.
func ownID(t flow.Task) string { return string(t.ID) }

// newSilentView returns a view that shows nothing, and only keeps what it is
// told.
func newSilentView() *view {
	v := &view{out: io.Discard, label: ownID, quit: make(chan struct{}), done: make(chan struct{})}
	go v.loop()
	return v
}

// step takes in what changed; it never waits for the terminal.
func (v *view) step(s engine.Step) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.id == "" && len(v.early) < 10_000:
		v.early = append(v.early, s)
	case v.id == s.Run.ID: // the server may have others
		v.take(s)
	}
}

// follow says which run to show.
func (v *view) follow(id flow.RunID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.id = id
	for _, s := range v.early {
		if s.Run.ID == id {
			v.take(s)
		}
	}
	v.early = nil
}

// take enters a step; v.mu is held.
func (v *view) take(s engine.Step) {
	v.run = s.Run
	for _, t := range s.Tasks {
		for len(v.tasks) <= t.Index {
			v.tasks, v.shown = append(v.tasks, flow.Task{}), append(v.shown, "")
		}
		was, name := v.tasks[t.Index], v.shown[t.Index]
		if name == "" {
			name = v.label(t)
		}
		if name != "" && (was.State != t.State || was.Attempt != t.Attempt) {
			v.moves = append(v.moves, t)
		}
		v.tasks[t.Index], v.shown[t.Index] = t, name
		v.names = min(max(v.names, len(name)), 40)
	}
	v.dirty = true
}

// loop draws what has changed, some times a second.
func (v *view) loop() {
	defer close(v.done)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			v.draw(false)
		case <-v.quit:
			v.draw(true)
			return
		}
	}
}

// close draws for the last time.
func (v *view) close() {
	close(v.quit)
	<-v.done
}

func (v *view) draw(last bool) {
	v.mu.Lock()
	moves, run, dirty := v.moves, v.run, v.dirty
	v.moves, v.dirty = nil, false
	var tasks []flow.Task
	if v.live {
		for i, t := range v.tasks {
			if v.shown[i] != "" {
				tasks = append(tasks, t)
			}
		}
	}
	v.mu.Unlock()
	if !v.live {
		for _, t := range moves {
			if t.State != flow.Waiting {
				fmt.Fprintf(v.out, "%s  %-*s  %s\n", t.Modified.Local().Format("15:04:05.000"), v.names, v.label(t), stateText(t))
			}
		}
		return
	}
	if !dirty && run.State.Final() && !last || len(tasks) == 0 {
		return
	}
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", v.drawn)
	}
	lines := 0
	shown, hidden := pick(tasks, 30)
	for _, t := range shown {
		fmt.Fprintf(&b, "  %s%s\x1b[0m %-*s  %s%s\x1b[0m  \x1b[2m%s\x1b[0m\n",
			color(t.State), mark(t.State), v.names, clipText(v.label(t), 40), color(t.State), stateText(t), took(t))
		lines++
	}
	if hidden > 0 {
		fmt.Fprintf(&b, "  \x1b[2m… and %d more\x1b[0m\n", hidden)
		lines++
	}
	v.drawn = lines
	_, _ = io.WriteString(v.out, b.String())
}

// pick leaves out finished and waiting tasks when there are too many to show.
func pick(tasks []flow.Task, n int) (shown []flow.Task, hidden int) {
	if len(tasks) <= n {
		return tasks, 0
	}
	for _, want := range []func(flow.State) bool{
		func(s flow.State) bool { return !s.Final() && s != flow.Waiting },
		func(s flow.State) bool { return s == flow.Failed || s == flow.TimedOut },
		func(s flow.State) bool { return s.Final() && s != flow.Failed && s != flow.TimedOut },
		func(s flow.State) bool { return s == flow.Waiting },
	} {
		for _, t := range tasks {
			if want(t.State) && len(shown) < n {
				shown = append(shown, t)
			}
		}
	}
	return shown, len(tasks) - len(shown)
}

func stateText(t flow.Task) string {
	s := string(t.State)
	if t.Attempt > 1 {
		s += fmt.Sprintf(", attempt %d", t.Attempt)
	}
	if t.State == flow.Retrying || t.State == flow.Resting {
		s += " until " + t.Due.Local().Format("15:04:05")
	}
	if t.Reason != "" && t.State != flow.Succeeded {
		s += ": " + clipText(printable(firstLine(t.Reason)), 100)
	}
	return s
}

func took(t flow.Task) string {
	switch {
	case t.Started.IsZero():
		return ""
	case t.State.Final() && !t.Ended.IsZero():
		return t.Ended.Sub(t.Started).Round(time.Millisecond).String()
	case t.State.Live():
		return time.Since(t.Started).Round(100 * time.Millisecond).String()
	}
	return ""
}

func mark(s flow.State) string {
	switch s {
	case flow.Succeeded:
		return "✓"
	case flow.Failed, flow.TimedOut:
		return "✗"
	case flow.Blocked, flow.Skipped, flow.Canceled, flow.Removed:
		return "–"
	case flow.Waiting:
		return "·"
	}
	return "▸"
}

func color(s flow.State) string {
	switch s {
	case flow.Succeeded:
		return "\x1b[32m"
	case flow.Failed, flow.TimedOut, flow.Blocked:
		return "\x1b[31m"
	case flow.Skipped, flow.Canceled, flow.Removed, flow.Waiting:
		return "\x1b[2m"
	}
	return "\x1b[33m"
}

// printable replaces what a task could steer a terminal with.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || !unicode.IsControl(c) {
			return c
		}
		return unicode.ReplacementChar
	}, s)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func clipText(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// snapshot returns the run and tasks as they were last seen.
func (v *view) snapshot() (flow.Run, []flow.Task) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.run, append([]flow.Task(nil), v.tasks...)
}
