package rehearsal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
)

// A check is one expectation. holds returns what is, in words that compare
// with want, and whether it is as wanted.
type check[T any] struct {
	place
	want  string
	holds func(T) (got string, ok bool)
}

// An ended is a run that has ended.
type ended struct {
	row   flow.Run
	began time.Time // when it did first; row.Started is when it was reopened last
	graph *flow.Graph
	tasks map[flow.TaskID]flow.Task
	parts map[flow.TaskID]*part
}

// A season is what happened in a range of a schedule.
type season struct {
	loc    *time.Location
	fires  []time.Time
	states map[string]int // runs by how they ended
	inside int            // runs under way
	atOnce int            // the most there were
	missed int
	ends   time.Time // of the run that ended last
}

func (r *reader) expect(t *Test, v *airflow.Value, path string) {
	one := []string{"run", "takes", "waits", "order", "tasks"}
	ranged := []string{"runs", "fires", "last", "states", "at_once", "missed", "ends"}
	if !r.keys(v, path, append(one, ranged...)...) {
		return
	}
	if len(v.Pairs) == 0 {
		r.fault(at(v, path), "write {run: SUCCESS}", "it expects nothing")
	}
	for _, p := range v.Pairs {
		key, v, path := p.Key.Text, p.Value, join(path, p.Key.Text)
		if slices.Contains(ranged, key) && !t.ranged {
			r.fault(at(p.Key, path), "give the test from: and to:", "%s is about the runs of a range of the schedule, and this test is about one run", key)
			continue
		}
		switch key {
		case "run":
			want := r.word(v, path, runEnds())
			r.ofRun(t, v, path, want, func(e *ended) (string, bool) {
				got := runName(e.row.State)
				return got, got == want
			})
		case "takes":
			r.ofSpan(t, v, path, func(e *ended) (time.Duration, bool) { return e.row.Ended.Sub(e.began), !e.began.IsZero() })
		case "waits":
			r.ofSpan(t, v, path, func(e *ended) (time.Duration, bool) { return e.began.Sub(e.row.Created), !e.began.IsZero() })
		case "order":
			r.order(t, v, path)
		case "tasks":
			if v.Kind != airflow.Mapping {
				r.fault(at(v, path), "", "expected a mapping from task to state, not %s", v.Kind)
				continue
			}
			for _, p := range v.Pairs {
				r.expectTask(t, p.Key, p.Value, join(path, p.Key.Text))
			}
		case "runs", "at_once", "missed":
			want := r.count(v, path, 0, maxRuns)
			r.ofSeason(t, v, path, strconv.Itoa(want), func(s *season) (string, bool) {
				got := map[string]int{"runs": len(s.fires) - s.missed, "at_once": s.atOnce, "missed": s.missed}[key]
				text := strconv.Itoa(got)
				if key == "runs" && s.missed > 0 {
					text += fmt.Sprintf(", and %d slots missed because too many runs were active or the workflow was paused", s.missed)
				}
				return text, got == want
			})
		case "fires":
			r.fires(t, v, path)
		case "last", "ends":
			want := r.moment(v, path)
			r.ofSeason(t, v, path, v.Text, func(s *season) (string, bool) {
				got := s.ends
				if key == "last" && len(s.fires) > 0 {
					got = s.fires[len(s.fires)-1]
				}
				if len(s.fires) == 0 {
					return "no run", false
				}
				return iso(got, s.loc), got.Equal(want.in(s.loc))
			})
		case "states":
			r.states(t, v, path)
		}
	}
}

func (r *reader) ofRun(t *Test, v *airflow.Value, path, want string, holds func(*ended) (string, bool)) {
	t.runs = append(t.runs, check[*ended]{at(v, path), want, holds})
}

func (r *reader) ofSeason(t *Test, v *airflow.Value, path, want string, holds func(*season) (string, bool)) {
	t.whole = append(t.whole, check[*season]{at(v, path), want, holds})
}

// ofSpan expects a duration, or with a sign before it, one on that side.
func (r *reader) ofSpan(t *Test, v *airflow.Value, path string, of func(*ended) (time.Duration, bool)) {
	sign := ""
	bare := *v
	for _, s := range []string{"<=", ">=", "<", ">"} {
		if rest, ok := strings.CutPrefix(v.Text, s); ok && v.Kind == airflow.Text {
			sign, bare.Text = s, strings.TrimSpace(rest)
			break
		}
	}
	want := r.span(&bare, path)
	r.ofRun(t, v, path, strings.TrimSpace(sign+" "+spanText(want)), func(e *ended) (string, bool) {
		got, ok := of(e)
		if !ok {
			return "it never began", false
		}
		switch sign {
		case "<":
			ok = got < want
		case "<=":
			ok = got <= want
		case ">":
			ok = got > want
		case ">=":
			ok = got >= want
		default:
			ok = got == want
		}
		return spanText(got), ok
	})
}

func (r *reader) order(t *Test, v *airflow.Value, path string) {
	if v.Kind != airflow.List {
		r.fault(at(v, path), "", "expected a list of tasks, not %s", v.Kind)
		return
	}
	var want []string
	for _, it := range v.Items {
		id := r.text(it, path)
		if slices.Contains(want, id) {
			r.fault(at(it, path), "", "%s is listed twice", quoted(id))
		}
		want = append(want, id)
		t.names = append(t.names, name{at(it, path), id})
	}
	r.ofRun(t, v, path, list(want), func(e *ended) (string, bool) {
		return list(e.started()), e.ordered(want)
	})
}

// ordered reports whether all of the tasks began, and in this order. Those
// that began at the same moment may be in any order that their dependencies
// allow.
func (e *ended) ordered(ids []string) bool {
	for i, id := range ids {
		t := e.tasks[flow.TaskID(id)]
		if t.Started.IsZero() {
			return false
		}
		if i == 0 {
			continue
		}
		before := e.tasks[flow.TaskID(ids[i-1])]
		if before.Started.After(t.Started) || before.Started.Equal(t.Started) && e.follows(before.ID, t.ID) {
			return false
		}
	}
	return true
}

// follows reports whether up is upstream of id, at whatever distance.
func (e *ended) follows(id, up flow.TaskID) bool {
	above := map[flow.TaskID]bool{id: true}
	for _, n := range slices.Backward(e.graph.Nodes) { // upstreams come first
		if !above[n.ID] {
			continue
		}
		for _, a := range n.After {
			above[a] = true
		}
	}
	return above[up]
}

func (r *reader) expectTask(t *Test, key, v *airflow.Value, path string) {
	id := flow.TaskID(key.Text)
	t.names = append(t.names, name{at(key, path), key.Text})
	if v.Kind != airflow.Mapping {
		r.taskState(t, id, v, path)
		return
	}
	r.keys(v, path, "state", "attempts", "starts", "ends", "reason", "xcom", "arguments", "exact_arguments")
	for _, p := range v.Pairs {
		v, path := p.Value, join(path, p.Key.Text)
		switch p.Key.Text {
		case "state":
			r.taskState(t, id, v, path)
		case "attempts":
			want := r.count(v, path, 0, 1_000_000)
			r.ofRun(t, v, path, strconv.Itoa(want), func(e *ended) (string, bool) {
				got := e.tasks[id].Attempt
				if got > 0 && e.tasks[id].Started.IsZero() {
					got-- // it has the next number, and never began
				}
				return strconv.Itoa(got), got == want
			})
		case "starts":
			r.ofSpan(t, v, path, func(e *ended) (time.Duration, bool) {
				t := e.tasks[id]
				return t.Started.Sub(e.began), !t.Started.IsZero()
			})
		case "ends":
			r.ofSpan(t, v, path, func(e *ended) (time.Duration, bool) {
				t := e.tasks[id]
				return t.Ended.Sub(e.began), !t.Ended.IsZero() && !e.began.IsZero()
			})
		case "reason":
			m := r.matcher(v, path, true)
			r.ofRun(t, v, path, m.text, func(e *ended) (string, bool) {
				got := e.tasks[id].Reason
				return strconv.Quote(got), m.matches(got)
			})
		case "xcom":
			r.values(t, id, v, path, true, func(e *ended) map[string]json.RawMessage { return e.part(id).xcom() })
		case "arguments", "exact_arguments":
			r.values(t, id, v, path, p.Key.Text == "arguments", func(e *ended) map[string]json.RawMessage { return e.part(id).args })
		}
	}
}

func (e *ended) part(id flow.TaskID) *part {
	if p := e.parts[id]; p != nil {
		return p
	}
	return &part{}
}

func (r *reader) taskState(t *Test, id flow.TaskID, v *airflow.Value, path string) {
	want := r.word(v, path, taskEnds())
	r.ofRun(t, v, path, want, func(e *ended) (string, bool) {
		got := taskName(e.tasks[id].State)
		if want == "NONE" && got == "SKIPPED" {
			return got, true
		}
		return got, got == want
	})
}

// values expects some values by name, each as a check of its own.
func (r *reader) values(t *Test, id flow.TaskID, v *airflow.Value, path string, subset bool, of func(*ended) map[string]json.RawMessage) {
	if v.Kind != airflow.Mapping {
		r.fault(at(v, path), "", "expected a mapping from name to value, not %s", v.Kind)
		return
	}
	var names []string
	for _, p := range v.Pairs {
		name, path := p.Key.Text, join(path, p.Key.Text)
		names = append(names, name)
		m := r.matcher(p.Value, path, subset)
		r.ofRun(t, p.Value, path, m.text, func(e *ended) (string, bool) {
			raw, ok := of(e)[name]
			if !ok && e.tasks[id].Started.IsZero() {
				return "the task did not run", false
			}
			if !ok {
				got := "nothing"
				there := slices.Sorted(maps.Keys(of(e)))
				if near := airflow.Nearest(name, there); near != "" {
					got += "; did you mean " + near + "?"
				} else if len(there) > 0 {
					got += "; there are only " + strings.Join(there, ", ")
				}
				return got, m.matches(nil)
			}
			return string(raw), m.matches(decode(raw))
		})
	}
	if subset {
		return
	}
	slices.Sort(names)
	r.ofRun(t, v, path, "exactly "+list(names), func(e *ended) (string, bool) {
		got := slices.Sorted(maps.Keys(of(e)))
		return list(got), slices.Equal(got, names)
	})
}

func (r *reader) fires(t *Test, v *airflow.Value, path string) {
	if v.Kind != airflow.List {
		r.fault(at(v, path), "", "expected a list of times, not %s", v.Kind)
		return
	}
	for i, it := range v.Items {
		path := fmt.Sprintf("%s[%d]", path, i)
		want := r.moment(it, path)
		r.ofSeason(t, it, path, it.Text, func(s *season) (string, bool) {
			if i >= len(s.fires) {
				return "no more fires", false
			}
			return iso(s.fires[i], s.loc), s.fires[i].Equal(want.in(s.loc))
		})
	}
}

func (r *reader) states(t *Test, v *airflow.Value, path string) {
	if v.Kind != airflow.Mapping {
		r.fault(at(v, path), "write states: {SUCCESS: 22}", "expected a mapping from state to count, not %s", v.Kind)
		return
	}
	want := map[string]int{}
	for _, p := range v.Pairs {
		if s := r.word(p.Key, path, runEnds()); s != "" {
			want[s] = r.count(p.Value, join(path, s), 0, maxRuns)
		}
	}
	r.ofSeason(t, v, path, counts(want), func(s *season) (string, bool) {
		for state, n := range want {
			if s.states[state] != n {
				return counts(s.states), false
			}
		}
		return "", true
	})
}

func counts(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s: %d", k, m[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func iso(t time.Time, loc *time.Location) string {
	return t.In(loc).Format("2006-01-02T15:04:05.999999Z07:00")
}

// A matcher is a value that is expected.
type matcher struct {
	text   string
	want   any
	re     map[string]*regexp.Regexp // by the text that stands for them
	subset bool
}

// matcher reads an expected value. A text that begins with a tilde and a
// space is a regular expression. With subset, mappings in it need only be
// part of what is there.
func (r *reader) matcher(v *airflow.Value, path string, subset bool) *matcher {
	raw := v.JSON()
	m := &matcher{text: string(raw), want: decode(raw), re: map[string]*regexp.Regexp{}, subset: subset}
	var find func(*airflow.Value)
	find = func(v *airflow.Value) {
		if rest, ok := strings.CutPrefix(v.Text, "~ "); ok && v.Kind == airflow.Text {
			m.re[v.Text] = r.pattern(v, path, strings.TrimSpace(rest))
		}
		for _, it := range v.Items {
			find(it)
		}
		for _, p := range v.Pairs {
			find(p.Value)
		}
	}
	find(v)
	if _, ok := m.re[v.Text]; ok {
		m.text = v.Text
	}
	return m
}

func (m *matcher) matches(got any) bool { return m.same(got, m.want) }

func (m *matcher) same(got, want any) bool {
	switch want := want.(type) {
	case string:
		if re, ok := m.re[want]; ok && re != nil {
			s, isText := got.(string)
			if !isText {
				raw, _ := json.Marshal(got) // it was read from JSON
				s = string(raw)
			}
			return re.MatchString(s)
		}
		return got == want
	case json.Number:
		n, ok := got.(json.Number)
		return ok && (n == want || number(n) == number(want))
	case []any:
		items, ok := got.([]any)
		return ok && slices.EqualFunc(items, want, m.same)
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok || !m.subset && len(members) != len(want) {
			return false
		}
		for k, w := range want {
			if g, ok := members[k]; !ok || !m.same(g, w) {
				return false
			}
		}
		return true
	}
	return got == want
}

// number is n as Python compares it with a float; NaN, which equals nothing,
// where digits would be lost.
func number(n json.Number) float64 {
	f, err := n.Float64()
	if _, whole := strconv.ParseInt(string(n), 10, 53); err != nil || errors.Is(whole, strconv.ErrRange) {
		return math.NaN()
	}
	return f
}

// decode reads JSON of our own, numbers as they are written.
func decode(raw json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return v
}
