package web

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
)

func TestEveryStateHasItsWord(t *testing.T) {
	taskWords := strings.Fields("QUEUED FAILED SCHEDULED RUNNING SUCCESS UP_FOR_RESCHEDULE UP_FOR_RETRY UPSTREAM_FAILED REMOVED RESTARTING DEFERRED NONE CANCELLED TIMEOUT")
	runWords := strings.Fields("STARTING QUEUED RUNNING SUCCESS FAILED TIMEOUT STOPPING STOPPED")
	css := string(mustRead(staticFiles, "static/console.css"))
	parts := string(mustRead(htmlFiles, "html/parts.html"))
	s := New(newMemory().config())
	for _, st := range flow.States() {
		task, run := s.taskBadge(st), runBadge(st)
		if !slices.Contains(taskWords, task.Word) {
			t.Errorf("task in state %s shows %q, which the API does not have", st, task.Word)
		}
		if !slices.Contains(runWords, run.Word) {
			t.Errorf("run in state %s shows %q, which the API does not have", st, run.Word)
		}
		for _, tone := range []string{task.Tone, run.Tone} {
			if !strings.Contains(css, "\n."+tone+" {") || !strings.Contains(css, "\n."+tone+" rect {") || !strings.Contains(parts, `id="sign-`+tone+`"`) {
				t.Errorf("state %s has the tone %q, which has no colour or no sign", st, tone)
			}
		}
	}
	c := newMemory().config()
	c.ShowSkipped = true
	if got := New(c).taskBadge(flow.Skipped).Word; got != "SKIPPED" {
		t.Errorf("with ShowSkipped a skipped task shows %q, want SKIPPED", got)
	}
}

func TestWhy(t *testing.T) {
	g := graph("a b c:a,b d:a e:a,b,c,d,f f")
	g.Nodes[3].When = flow.OneFailed
	now := epoch
	for _, tt := range []struct {
		name   string
		states string // of a, b, …
		task   flow.Task
		most   int
		want   string
	}{
		{"waits for what is open", "succeeded running", flow.Task{ID: "c", State: flow.Waiting}, 0, "waits for b"},
		{"names three and counts the rest", "waiting waiting waiting waiting waiting waiting", flow.Task{ID: "e", State: flow.Waiting}, 0, "waits for a, b, c and 2 more"},
		{"names a rule that is not the usual one", "running", flow.Task{ID: "d", State: flow.Waiting}, 0, "waits for a (trigger rule one_failed)"},
		{"no rows yet", "", flow.Task{ID: "c", State: flow.Waiting}, 0, "waits for a, b"},
		{"about to be settled", "succeeded succeeded", flow.Task{ID: "c", State: flow.Waiting}, 0, ""},
		{"slot", "", flow.Task{ID: "a", State: flow.Ready}, 0, "may run; waits for a slot"},
		{"slot of a run", "", flow.Task{ID: "a", State: flow.Ready}, 16, "may run; waits for a slot (at most 16 tasks of this run at once)"},
		{"retry", "", flow.Task{ID: "a", State: flow.Retrying, Attempt: 1, Reason: "exit status 3", Due: now.Add(65 * time.Second)}, 0, "exit status 3; attempt 2 follows in 1 m 05 s"},
		{"retry overdue", "", flow.Task{ID: "a", State: flow.Retrying, Attempt: 1, Due: now.Add(-time.Second)}, 0, "attempt 2 follows now"},
		{"sensor", "", flow.Task{ID: "a", State: flow.Resting, Pokes: 1, Due: now.Add(5 * time.Second)}, 0, "looked 1 time; looks again in 5.0 s"},
		{"stop", "", flow.Task{ID: "a", State: flow.Stopping, Cause: flow.ByStop}, 0, "the run is being stopped"},
		{"timeout", "", flow.Task{ID: "a", State: flow.Stopping, Cause: flow.ByTimeout, Reason: "Timeout."}, 0, "the attempt ran past its time; Timeout"},
		{"blocked", "failed blocked", flow.Task{ID: "c", State: flow.Blocked, Reason: "an upstream task failed"}, 0, "an upstream task failed; not succeeded: a, b"},
		{"failed", "", flow.Task{ID: "a", State: flow.Failed, Reason: "exit status 1"}, 0, "exit status 1"},
		{"not in the graph", "", flow.Task{ID: "gone", State: flow.Removed}, 0, "not in the graph any more"},
		{"nothing to say", "", flow.Task{ID: "a", State: flow.Running}, 0, ""},
	} {
		var tasks []flow.Task
		for i, st := range strings.Fields(tt.states) {
			tasks = append(tasks, flow.Task{ID: g.Nodes[i].ID, Index: i, State: flow.State(st)})
		}
		g.MaxActive = tt.most
		if got := newWorld(&g, tasks, now).why(tt.task); got != tt.want {
			t.Errorf("%s: %s in state %s among [%s]: got %q, want %q", tt.name, tt.task.ID, tt.task.State, tt.states, got, tt.want)
		}
	}
}

// TestContrast holds the colours of both schemes to the ratio that WCAG 2.2
// AA asks of text, 4.5 to 1.
func TestContrast(t *testing.T) {
	css := string(mustRead(staticFiles, "static/console.css"))
	light, dark, ok := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("the style sheet has no dark scheme")
	}
	dark = dark[:strings.Index(dark, "\n}\n")]
	pairs := [][2]string{
		{"ink", "page"}, {"ink", "sheet"}, {"ink", "faint"}, {"soft", "page"}, {"soft", "sheet"}, {"soft", "faint"}, {"link", "page"},
		{"link", "sheet"}, {"link", "faint"}, {"on-bar", "bar"}, {"soft-bar", "bar"}, {"ink", "hold-tint"}, {"soft", "hold-tint"},
		{"ink", "bad-tint"}, {"soft", "bad-tint"},
	}
	for _, tone := range []string{"wait", "soon", "live", "hold", "good", "bad", "cut", "off"} {
		pairs = append(pairs, [2]string{tone, tone + "-tint"}, [2]string{"ink", tone + "-tint"}, [2]string{tone, "sheet"}, [2]string{tone, "faint"})
	}
	for name, text := range map[string]string{"light": light[:strings.Index(light, "\n}\n")], "dark": dark} {
		for _, p := range pairs {
			if got := contrast(t, text, p[0], p[1]); got < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", name, p[0], p[1], got)
			}
		}
	}
}

func contrast(t *testing.T, css, ink, ground string) float64 {
	t.Helper()
	a, b := luminance(t, css, ink), luminance(t, css, ground)
	return (max(a, b) + .05) / (min(a, b) + .05)
}

func luminance(t *testing.T, css, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`--` + name + `: #([0-9a-f]{6});`).FindStringSubmatch(css)
	if m == nil {
		t.Fatalf("the style sheet has no colour %s", name)
	}
	rgb, _ := strconv.ParseUint(m[1], 16, 32)
	part := func(v uint64) float64 {
		c := float64(v&255) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*part(rgb>>16) + .7152*part(rgb>>8) + .0722*part(rgb)
}

func TestReadLine(t *testing.T) {
	for _, tt := range []struct{ in, want string }{ // level|tone|text|more
		{`hello`, "||hello|"},
		{`{"level":"info","event":"hi","logger":"x","timestamp":"t"}`, "info||hi|"},
		{`{"level":"WARNING","event":"hi"}`, "warning|warn|hi|"},
		{`{"level":"critical","event":"a\nb"}`, "critical|bad|a\nb|"},
		{`{"event":"done","exit_code":0,"ok":true,"who":"me"}`, "||done|exit_code=0  ok=true  who=me"},
		{`{"level":"error","event":"e","error_detail":[{"exc_type":"ValueError","exc_value":"boom","frames":[{"filename":"f.py","lineno":3,"name":"run"}]}]}`,
			"error|bad|e|  f.py:3 in run\nValueError: boom"},
		{`{"level":"error","event":"e","error_detail":"odd"}`, "error|bad|e|error_detail=odd"},
		{`{"event":1}`, `||{"event":1}|`},
		{`{"event":"cut`, `||{"event":"cut|`},
		{`[1]`, "||[1]|"},
		{"\x1b[1;31mred\x1b[0m and \x1b]8;;http://x\x07link\x1b]8;;\x07", "||red and link|"},
		{"50%\r100%\r\ndone", "||50%\n100%\ndone|"},
		{"bell\x07 nul\x00 del\x7f csi\u009b", "||bell nul del csi|"},
		{"tab\tstays é 漢 \xff", "||tab\tstays é 漢 \uFFFD|"},
		{"cut off \x1b[3", "||cut off |"},
		{"cut off \x1b", "||cut off |"},
		{"title \x1b]0;never ended\nnext line", "||title \nnext line|"},
	} {
		l := readLine(flow.LogEvent{Text: tt.in})
		if got := strings.Join([]string{l.Level, l.Tone, l.Text, l.More}, "|"); got != tt.want {
			t.Errorf("readLine(%q)\ngot  %q\nwant %q", tt.in, got, tt.want)
		}
	}
}

func FuzzReadLine(f *testing.F) {
	for _, s := range []string{
		"", "a", "\x1b", "\x1b[", "\x1b[31m", "\x1b]0;t\x07", "\x1bP\x1b\\", "\x1b(B", "\r\n", "\xff\xfe\x1b[", "é\x1b[0m漢", `{"event":"\u001b[1m"}`,
		`{"event":"e","error_detail":[{"frames":[{}]}]}`, `{"event":"e","level":null,"a":{"b":[1]}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l := readLine(flow.LogEvent{Text: s})
		for _, out := range []string{l.Text, l.More, l.Level} {
			if len(out) > maxLineText+3 {
				t.Errorf("readLine(%q) shows %d bytes", s, len(out))
			}
			if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && r != '\t' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0) }) {
				t.Errorf("readLine(%q) shows control characters: %q", s, out)
			}
		}
	})
}

func TestMembers(t *testing.T) {
	for in, want := range map[string]string{
		``: "", `null`: "", `{}`: "", ` {"b": 1, "a": "x"}`: "b=1 a=\"x\"", `[1]`: "=[1]", `{"a": 1`: "={\"a\": 1", `nonsense`: "=nonsense",
	} {
		var parts []string
		for _, v := range members([]byte(in)) {
			parts = append(parts, v.Name+"="+v.Text)
		}
		if got := strings.Join(parts, " "); got != want {
			t.Errorf("members(%q) = %q, want %q", in, got, want)
		}
	}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if v := shown("x", []byte(deep)); v.Text != deep || v.Cut != 0 {
		t.Errorf("deep JSON is shown as %d bytes, want its %d as they are", len(v.Text), len(deep))
	}
	if v := shown("x", []byte(strings.Repeat("é", 20000))); len(v.Text) > maxValue+3 || v.Cut == 0 {
		t.Errorf("long text is shown as %d bytes and %d more", len(v.Text), v.Cut)
	}
}

func FuzzMembers(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"a":[1,{"b":null}]}`, `{"a":1}{`, `{"a"`, `[]`, "\xff", `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, v := range members(raw) {
			if len(v.Text) > maxValue+3 || len(v.Name) > 259 {
				t.Errorf("members(%q) shows %s", raw, fmt.Sprint(len(v.Name), len(v.Text)))
			}
		}
	})
}
