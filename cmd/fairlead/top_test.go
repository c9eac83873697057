package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"fairlead/internal/flow"
)

// shown returns what a picture shows, without colors and blank ends.
func shown(m *picture) string {
	var b strings.Builder
	for _, line := range m.lines() {
		b.WriteString(strings.TrimRight(unpaint(line), " ") + "\n")
	}
	return b.String()
}

// unpaint takes the escape codes out.
func unpaint(s string) string {
	var b strings.Builder
	for s != "" {
		before, rest, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			break
		}
		if i := strings.IndexFunc(rest, func(c rune) bool { return c >= '@' && c <= '~' }); i >= 0 {
			rest = rest[i+1:]
		}
		s = rest
	}
	return b.String()
}

// TestPicture goes through the list, into a run and the log of a task, with a
// filter, and back, and checks each screen.
func TestPicture(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	run := runGlance{ID: "abc", Workflow: "etl-x", State: flow.Running, Created: at, Started: at}
	list := glance{Runs: []runGlance{
		run, {ID: "def", Workflow: "old-y", State: flow.Failed, Created: at, Started: at, Ended: at.Add(1500 * time.Millisecond), Reason: "Workflow execution failed"},
	}}
	of := glance{Runs: list.Runs, Run: &run, LogOf: "load", Log: []string{"one", "two\x1b[2J"}, Tasks: []taskGlance{
		{ID: "extract", State: flow.Succeeded, Attempt: 1, Started: at, Ended: at.Add(time.Second)},
		{ID: "load", State: flow.Retrying, Attempt: 2, Started: at, Ended: at.Add(time.Second), Reason: "exit 1", After: []flow.TaskID{"extract"}},
		{ID: "check", State: flow.Running, Attempt: 1, Started: at.Add(58 * time.Second), After: []flow.TaskID{"extract"}},
		{ID: "report", State: flow.Waiting, After: []flow.TaskID{"load", "check"}},
	}}
	var asked []string
	m := &picture{width: 110, height: 30, look: func(_ context.Context, run flow.RunID, task flow.TaskID) (glance, error) {
		asked = append(asked, fmt.Sprintf("%s/%s", run, task))
		if run == "" {
			return list, nil
		}
		return of, nil
	}}
	step := func(msgs ...tea.Msg) {
		for _, msg := range msgs {
			m.Update(msg)
		}
		m.Update(m.ask()())
		m.now = at.Add(time.Minute)
	}
	press := func(name string) tea.Msg {
		switch name {
		case "down":
			return tea.KeyPressMsg{Code: tea.KeyDown}
		case "enter":
			return tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			return tea.KeyPressMsg{Code: tea.KeyEscape}
		}
		return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
	}
	check := func(when, want string) {
		t.Helper()
		if got := shown(m); got != want[1:] {
			t.Errorf("%s:\n%s\nwant:\n%s", when, got, want[1:])
		}
	}
	step()
	check("the list", `
2 runs

> ▸ abc              etl-x                                     running    1m0s
  ✗ def              old-y                                     failed     1.5s  Workflow execution failed
↑↓ choose  enter open  / filter  q leave
`)
	step(press("enter"))
	check("a run", `
run abc of etl-x  running  1m0s  1 of 4 tasks ended

> ✓ extract  succeeded  1s
  ▸ ├ load     retrying   1s  attempt 2  exit 1
  ▸ └ check    running    2s
  ·   └ report  (after 2)  waiting
── log of load
  one
  two`+"\uFFFD"+`[2J
↑↓ choose  enter log  esc back  / filter  q leave
`)
	step(press("/"), press("c"), press("h"))
	check("a filter", `
run abc of etl-x  running  1m0s  1 of 4 tasks ended

> ▸ └ check    running    2s
── log of load
  one
  two`+"\uFFFD"+`[2J
/ch▏
`)
	step(press("enter"), press("enter"))
	if last := asked[len(asked)-1]; last != "abc/check" {
		t.Errorf("enter on a task asks for %s, want its log", last)
	}
	step(press("esc"), press("esc"), press("esc"))
	if m.run != "" || m.task != "" || m.filter != "" {
		t.Errorf("back: run %q, task %q, filter %q", m.run, m.task, m.filter)
	}
	step(press("down"), press("down"), press("down"))
	if m.cursor != 1 {
		t.Errorf("the cursor is at %d of 2 runs", m.cursor)
	}
	m.run, m.glance = "abc", of
	for h := range 12 {
		for w := range 40 {
			m.Update(tea.WindowSizeMsg{Width: w, Height: h})
			m.clamp()
			for _, line := range m.lines() {
				if n := len([]rune(unpaint(line))); n > max(w, 1) {
					t.Fatalf("a screen %d wide has a line of %d: %q", w, n, line)
				}
			}
		}
	}
	if _, cmd := m.Update(press("q")); cmd == nil {
		t.Error("q does not leave")
	}
}

// TestDeepTree draws a chain of many tasks without going too deep.
func TestDeepTree(t *testing.T) {
	m := &picture{run: "r", width: 80, height: 24}
	for i := range 5000 {
		g := taskGlance{ID: flow.TaskID(fmt.Sprint("t", i)), State: flow.Waiting}
		if i > 0 {
			g.After = []flow.TaskID{flow.TaskID(fmt.Sprint("t", i-1))}
		}
		m.glance.Tasks = append(m.glance.Tasks, g)
	}
	rows := m.rows()
	if len(rows) != 5000 || rows[4999].key != "t4999" || len([]rune(rows[4999].text)) > 80 {
		t.Errorf("%d rows, the last %q", len(rows), rows[len(rows)-1].text)
	}
}
