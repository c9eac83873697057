package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"fairlead/internal/flow"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
)

func topCommand() *cobra.Command {
	var c caller
	cmd := c.flags(&cobra.Command{
		Use:   "top [RUN]",
		Short: "Watch the runs of a server",
		Long: `Shows the latest runs of a running server, and of one of them the tasks as a
tree, with the end of the log of what fails. Keys: up and down, enter to open a
run or the log of a task, escape to go back, / to filter, q to leave. Where the
output is no terminal, the present state is printed once.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var run flow.RunID
			if len(args) > 0 {
				run = flow.RunID(args[0])
			}
			out, ok := cmd.OutOrStdout().(*os.File)
			if !ok || !isTerminal(out) || !isTerminal(os.Stdin) {
				g, err := c.remote(cmd.Context(), run, "")
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), plainGlance(g, run))
				return err
			}
			return watchLive(cmd.Context(), out, c.remote, run, nil)
		},
	})
	return cmd
}

// plainGlance is the whole picture without colors, for what is no terminal.
func plainGlance(g glance, run flow.RunID) string {
	m := picture{run: run, glance: g, now: time.Now(), width: 200, height: 1 << 20, cursor: -1}
	lines := m.lines()
	return strings.Join(lines[:len(lines)-1], "\n") // without the keys
}

// printGlance leaves the last picture of a run on the terminal.
func printGlance(w io.Writer, a *app, run flow.RunID) {
	g, err := a.glance(context.Background(), run, "")
	if err != nil {
		return // what follows says how the run ended
	}
	g.Log, g.LogOf = nil, "" // which follows
	fmt.Fprintln(w, plainGlance(g, run))
}

// watchLive shows the picture until its reader leaves or over is closed.
func watchLive(ctx context.Context, out *os.File, look glancer, run flow.RunID, over <-chan struct{}) error {
	m := &picture{ctx: ctx, look: look, run: run, only: over != nil, now: time.Now(), width: 80, height: 24}
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithOutput(out))
	if over != nil {
		go func() { // ends with the run, which is waited for
			<-over
			p.Send(overMsg{})
		}()
	}
	last, err := p.Run()
	if err != nil && ctx.Err() == nil {
		return err
	}
	if m, ok := last.(*picture); ok && m.err != nil {
		return m.err
	}
	return nil
}

// lookEvery is how often the picture is renewed.
const lookEvery = 250 * time.Millisecond

type (
	lookMsg   struct{}
	glanceMsg struct {
		glance glance
		err    error
	}
	overMsg struct{}
)

// A picture is what the screen shows and where its reader is. Its lines
// follow from its fields alone.
type picture struct {
	ctx  context.Context
	look glancer

	run    flow.RunID // the open run; empty: the list
	task   flow.TaskID
	only   bool // there is one run and no list to go back to
	filter string
	typing bool // the filter is being typed
	cursor int  // the line of the list or tree that is chosen; -1: none
	top    int  // the first that is shown

	glance        glance
	err           error
	now           time.Time
	width, height int
}

// Init implements [tea.Model].
func (m *picture) Init() tea.Cmd { return m.ask() }

// ask looks, away from the screen.
func (m *picture) ask() tea.Cmd {
	run, task := m.run, m.task
	return func() tea.Msg {
		g, err := m.look(m.ctx, run, task)
		return glanceMsg{g, err}
	}
}

// Update implements [tea.Model].
func (m *picture) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case lookMsg:
		return m, m.ask()
	case glanceMsg:
		m.now = time.Now()
		if m.err = msg.err; msg.err == nil && (msg.glance.Run == nil || msg.glance.Run.ID == m.run || m.run == "") {
			m.glance = msg.glance
		}
		m.clamp()
		return m, tea.Tick(lookEvery, func(time.Time) tea.Msg { return lookMsg{} })
	case overMsg:
		m.err = nil
		return m, tea.Quit
	case tea.KeyPressMsg:
		return m, m.key(msg.String(), msg.Text)
	}
	return m, nil
}

// key acts on a key; text is what it types.
func (m *picture) key(name, text string) tea.Cmd {
	if m.typing {
		switch name {
		case "enter", "esc":
			m.typing = false
			if name == "esc" {
				m.filter = ""
			}
		case "backspace":
			if r := []rune(m.filter); len(r) > 0 {
				m.filter = string(r[:len(r)-1])
			}
		case "ctrl+c":
			return tea.Quit
		default:
			if len(m.filter) < 100 {
				m.filter += printable(text)
			}
		}
		m.cursor, m.top = 0, 0
		return nil
	}
	switch name {
	case "q", "ctrl+c":
		m.err = nil
		return tea.Quit
	case "/":
		m.typing = true
	case "up", "k":
		m.cursor--
	case "down", "j":
		m.cursor++
	case "pgup":
		m.cursor -= m.height / 2
	case "pgdown":
		m.cursor += m.height / 2
	case "home":
		m.cursor = 0
	case "end":
		m.cursor = 1 << 20
	case "enter", "right":
		m.open()
	case "esc", "left", "backspace":
		m.back()
	}
	m.clamp()
	return nil
}

// open opens what the cursor is at.
func (m *picture) open() {
	switch rows := m.rows(); {
	case m.cursor < 0 || m.cursor >= len(rows):
	case m.run == "":
		m.run, m.cursor, m.top, m.filter = flow.RunID(rows[m.cursor].key), 0, 0, ""
		m.glance.Run, m.glance.Tasks, m.glance.Log, m.glance.LogOf = nil, nil, nil, ""
	default:
		m.task = flow.TaskID(rows[m.cursor].key)
	}
}

// back goes back from a log, a filter, or a run.
func (m *picture) back() {
	switch {
	case m.task != "":
		m.task = ""
	case m.filter != "":
		m.filter = ""
	case m.run != "" && !m.only:
		m.run, m.cursor, m.top = "", 0, 0
	}
}

// clamp keeps the cursor on the list and the list on the screen.
func (m *picture) clamp() {
	n := len(m.rows())
	m.cursor = max(0, min(m.cursor, n-1))
	room := m.room()
	m.top = max(0, min(m.top, m.cursor, n-room))
	if m.cursor >= m.top+room {
		m.top = m.cursor - room + 1
	}
}

// View implements [tea.Model].
func (m *picture) View() tea.View {
	v := tea.NewView(strings.Join(m.lines(), "\n"))
	v.AltScreen = true
	return v
}

// A row is a line of the list or the tree.
type row struct {
	key         string // of the run or the task
	text, after string // with a state between them
	state       flow.State
}

// rows returns all that the filter lets through.
func (m *picture) rows() []row {
	var rows []row
	if m.run == "" {
		for _, r := range m.glance.Runs {
			since := r.Started
			if since.IsZero() {
				since = r.Created
			}
			rows = append(rows, row{string(r.ID), fmt.Sprintf("%-15s  %-40s", r.ID, clipText(string(r.Workflow), 40)), m.span(since, r.Ended) + "  " + firstLine(r.Reason), r.State})
		}
	} else {
		rows = m.tree()
	}
	if m.filter == "" {
		return rows
	}
	want := strings.ToLower(m.filter)
	return slices.DeleteFunc(rows, func(r row) bool {
		return !strings.Contains(strings.ToLower(r.text+" "+string(r.state)+" "+r.after), want)
	})
}

// tree returns the tasks as a tree: each below the last of its upstreams, in
// the order of the graph. Further upstreams are counted.
func (m *picture) tree() []row {
	index := make(map[flow.TaskID]int, len(m.glance.Tasks))
	below := make([][]int, len(m.glance.Tasks))
	var roots []int
	width := 0
	for i, t := range m.glance.Tasks {
		index[t.ID] = i
		parent := -1
		for _, up := range t.After {
			if j, ok := index[up]; ok {
				parent = max(parent, j)
			}
		}
		if parent < 0 {
			roots = append(roots, i)
		} else {
			below[parent] = append(below[parent], i)
		}
		width = max(width, min(len(t.ID), 40))
	}
	var rows []row
	// A chain of thousands must not become a stack, nor a line that wide.
	type step struct {
		i     int
		lead  string
		last  bool
		depth int
	}
	var stack []step
	push := func(list []int, lead string, depth int) {
		for k := len(list) - 1; k >= 0; k-- {
			stack = append(stack, step{list[k], lead, k == len(list)-1, depth})
		}
	}
	push(roots, "", 0)
	const deepest = 12
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		t := m.glance.Tasks[s.i]
		branch, lead := "", s.lead
		if s.depth > 0 {
			branch = "├ "
			if s.last {
				branch = "└ "
			}
			switch {
			case s.depth > deepest:
			case s.last:
				lead += "  "
			default:
				lead += "│ "
			}
		}
		more := ""
		if len(t.After) > 1 {
			more = fmt.Sprintf(" (after %d)", len(t.After))
		}
		after := m.span(t.Started, t.Ended)
		if t.Attempt > 1 {
			after += fmt.Sprintf("  attempt %d", t.Attempt)
		}
		if (t.State == flow.Retrying || t.State == flow.Resting) && !t.Due.IsZero() {
			after += "  until " + t.Due.Local().Format(time.TimeOnly)
		}
		if t.Reason != "" && t.State != flow.Succeeded {
			after += "  " + firstLine(t.Reason)
		}
		rows = append(rows, row{string(t.ID), s.lead + branch + fmt.Sprintf("%-*s", width, clipText(string(t.ID), 40)) + more, after, t.State})
		push(below[s.i], lead, s.depth+1)
	}
	return rows
}

// span is how long something took, or has taken so far.
func (m *picture) span(from, to time.Time) string {
	if from.IsZero() {
		return ""
	}
	if to.IsZero() || to.Before(from) {
		return max(m.now.Sub(from), 0).Round(time.Second).String()
	}
	if d := to.Sub(from); d < 10*time.Second {
		return d.Round(time.Millisecond).String()
	}
	return to.Sub(from).Round(time.Second).String()
}

// logRoom is how many lines the log has below the tree.
func (m *picture) logRoom() int {
	if m.glance.LogOf == "" || m.run == "" {
		return 0
	}
	return min(len(m.glance.Log), max(m.height/3, 3)) + 1
}

// room is how many rows fit on the screen.
func (m *picture) room() int { return max(1, m.height-3-m.logRoom()) }

// lines returns the screen, each line as wide as it at most.
func (m *picture) lines() []string {
	rows := m.rows()
	out := []string{m.paint("\x1b[1m", m.title(len(rows))), ""}
	end := min(len(rows), m.top+m.room())
	for i := min(m.top, end); i < end; i++ {
		r := rows[i]
		pointer := "  "
		if i == m.cursor {
			pointer = "> "
		}
		head := fmt.Sprintf("%s%s %s  ", pointer, mark(r.state), r.text)
		out = append(out, m.colored(head, fmt.Sprintf("%-9s", r.state), r.state, "  "+printable(r.after)))
	}
	if n := m.logRoom(); n > 0 {
		out = append(out, m.paint("\x1b[1m", fmt.Sprintf("── log of %s ", m.glance.LogOf)))
		for _, line := range m.glance.Log[len(m.glance.Log)-(n-1):] {
			out = append(out, m.cut("  "+printable(line)))
		}
	}
	return append(out, m.paint("\x1b[2m", m.foot()))
}

func (m *picture) title(n int) string {
	if m.run == "" {
		return fmt.Sprintf("%d runs", n)
	}
	if m.glance.Run == nil {
		return "run " + string(m.run)
	}
	r := m.glance.Run
	ended := 0
	for _, t := range m.glance.Tasks {
		if t.State.Final() {
			ended++
		}
	}
	state := string(r.State)
	if r.Held {
		state += ", paused"
	}
	return fmt.Sprintf("run %s of %s  %s  %s  %d of %d tasks ended  %s", r.ID, r.Workflow, state, m.span(r.Created, r.Ended), ended, len(m.glance.Tasks), printable(r.Reason))
}

func (m *picture) foot() string {
	switch {
	case m.err != nil:
		return "! " + printable(m.err.Error())
	case m.typing:
		return "/" + m.filter + "▏"
	case m.filter != "":
		return "filter " + m.filter + "  (esc: all)"
	case m.run == "":
		return "↑↓ choose  enter open  / filter  q leave"
	}
	return "↑↓ choose  enter log  esc back  / filter  q leave"
}

// cut bounds a line to the width.
func (m *picture) cut(s string) string { return clipText(s, max(m.width, 1)) }

func (m *picture) paint(code, s string) string {
	if s = m.cut(s); m.plain() {
		return s
	}
	return code + s + "\x1b[0m"
}

// colored paints the middle of a line by a state.
func (m *picture) colored(head, middle string, s flow.State, tail string) string {
	whole := []rune(m.cut(head + middle + tail))
	a, b := len([]rune(head)), len([]rune(head+middle))
	if m.plain() || len(whole) < b {
		return string(whole)
	}
	return string(whole[:a]) + color(s) + string(whole[a:b]) + "\x1b[0m" + string(whole[b:])
}

// plain is for what is no terminal.
func (m *picture) plain() bool { return m.look == nil }
