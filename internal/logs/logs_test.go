package logs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/flow"

	"github.com/google/go-cmp/cmp"
)

const group = "/aws/mwaa-serverless/wf-a1B2c3D4e5/"

func TestNamesComeBack(t *testing.T) {
	for _, name := range []string{
		"a", ".", "..", ".hidden", "~x", "%2F", group, "workflow_id=w/run_id=r/task_id=a.b/attempt=1.log", "é:\x00*\n", strings.Repeat("/", 66),
	} {
		file, hashed := fileName(name)
		got, ok := nameOf(file)
		if hashed || !ok || got != name || strings.ContainsAny(file, "/\x00") || file[0] == '.' {
			t.Errorf("file name of %q is %q (hashed %v), which reads back as %q", name, file, hashed, got)
		}
	}
	if file, hashed := fileName(strings.Repeat("/", 67)); !hashed || len(file) != 65 {
		t.Errorf("the file name of a long name is %q, hashed %v; want a hash", file, hashed)
	}
}

func TestGroupsAndStreams(t *testing.T) {
	d, ctx := newDir(t), t.Context()
	long := strings.Repeat("long/", 60)
	for _, g := range []string{"b", "a/x", group, long} {
		if err := d.CreateGroup(g); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.CreateGroup("b"); flow.KindOf(err) != flow.Conflict {
		t.Errorf("CreateGroup again: %v; want Conflict", err)
	}
	for _, tt := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"", "", 10, []string{group, "a/x", "b", long}},
		{"", "", 2, []string{group, "a/x"}},
		{"", "a/x", 10, []string{"b", long}},
		{"long", "", 10, []string{long}},
		{"x", "", 10, nil},
	} {
		groups, err := d.Groups(ctx, tt.prefix, flow.Page{Limit: tt.limit, After: tt.after})
		var got []string
		for _, g := range groups {
			got = append(got, g.Name)
			if time.Since(g.Created) > time.Minute {
				t.Errorf("group %q was created at %s", g.Name, g.Created)
			}
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("Groups(%q, after %q, limit %d): %v (-want +got):\n%s", tt.prefix, tt.after, tt.limit, err, diff)
		}
	}
	for i, s := range []string{"c", "a/1", "a/2", long} {
		if err := d.CreateStream("b", s); err != nil {
			t.Fatal(err)
		}
		if err := d.Append("b", s, fmt.Appendf(nil, `{"timestamp":"2026-01-0%dT00:00:00Z"}`, i+1)); err != nil {
			t.Fatal(err)
		}
		path, err := d.Path("b", s)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 1, i+1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.CreateStream("b", "c"); flow.KindOf(err) != flow.Conflict {
		t.Errorf("CreateStream again: %v; want Conflict", err)
	}
	if err := d.CreateStream("nix", "c"); flow.KindOf(err) != flow.NotFound {
		t.Errorf("CreateStream in no group: %v; want NotFound", err)
	}
	for _, tt := range []struct {
		name string
		list flow.LogList
		want string
	}{
		{"by name", flow.LogList{}, "a/1 a/2 c " + long},
		{"by name, down", flow.LogList{Descending: true}, long + " c a/2 a/1"},
		{"by time", flow.LogList{ByTime: true}, "c a/1 a/2 " + long},
		{"by time, down", flow.LogList{ByTime: true, Descending: true}, long + " a/2 a/1 c"},
		{"prefix", flow.LogList{Prefix: "a/"}, "a/1 a/2"},
	} {
		for limit := 1; limit <= 4; limit++ {
			l, got := tt.list, []string{}
			l.Limit = limit
			for {
				streams, err := d.Streams(ctx, "b", l)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range streams {
					got = append(got, s.Name)
					if !s.First.Equal(s.Last) || s.First.Year() != 2026 || s.Bytes == 0 {
						t.Errorf("stream %+v; want the times of its event", s)
					}
				}
				if len(streams) < limit {
					break
				}
				l.After = l.Key(streams[limit-1])
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("%s, pages of %d: got %q, want %q", tt.name, limit, got, tt.want)
			}
		}
	}
	if err := d.DeleteStream("b", long); err != nil {
		t.Error(err)
	}
	if _, err := d.Read(ctx, "b", long, flow.LogRange{Limit: 1}); flow.KindOf(err) != flow.NotFound {
		t.Errorf("Read of a removed stream: %v; want NotFound", err)
	}
	if err := d.DeleteGroup("b"); err != nil {
		t.Error(err)
	}
	if err := d.DeleteGroup("b"); flow.KindOf(err) != flow.NotFound {
		t.Errorf("DeleteGroup again: %v; want NotFound", err)
	}
	if _, err := d.Streams(ctx, "b", flow.LogList{}); flow.KindOf(err) != flow.NotFound {
		t.Errorf("Streams of a removed group: %v; want NotFound", err)
	}
}

func TestTimesOfLines(t *testing.T) {
	for _, tt := range []struct{ line, want, text string }{
		{`{"timestamp":"2026-11-21T08:01:02.345678Z","event":"x"}`, "2026-11-21T08:01:02.345678Z", ""},
		{`{"event":"x","timestamp":"2026-11-21T10:01:02+02:00"}`, "2026-11-21T08:01:02Z", ""},
		{`{"timestamp":"2026-11-21T08:01:02.5"}`, "2026-11-21T08:01:02.5Z", ""},
		{`{"timestamp":"2026-11-21 08:01:02,5"}`, "2026-11-21T08:01:02.5Z", ""},
		{`{"timestamp":1795248062}`, "2026-11-21T08:01:02Z", ""},
		{`{"timestamp":1795248062500}`, "2026-11-21T08:01:02.5Z", ""},
		{`{"timestamp":"yesterday"}`, "0001-01-01T00:00:00Z", ""},
		{`{"timestamp":null}`, "0001-01-01T00:00:00Z", ""},
		{`{"timestamp":`, "0001-01-01T00:00:00Z", ""},
		{`plain`, "0001-01-01T00:00:00Z", ""},
		{`{"@t":1795248062500,"@m":"two\nlines"}`, "2026-11-21T08:01:02.5Z", "two\nlines"},
	} {
		at, text := parse([]byte(tt.line))
		want := tt.text
		if want == "" {
			want = tt.line
		}
		if got := at.Format(time.RFC3339Nano); got != tt.want || text != want {
			t.Errorf("parse(%s) = %s, %q; want %s, %q", tt.line, got, text, tt.want, want)
		}
	}
}

// Whatever the pages, both ways give all lines once and in order.
func TestPagesBothWays(t *testing.T) {
	d, ctx := newDir(t), t.Context()
	rng := rand.New(rand.NewPCG(5, 6))
	var want []string
	for i := range 300 {
		size := []int{0, 1, 80, 64<<10 - 1, 70_000, 100}[rng.IntN(6)]
		if i%50 != 0 {
			size = min(size, 200)
		}
		want = append(want, fmt.Sprintf("%d %s", i, strings.Repeat("x", size)))
	}
	for _, line := range want {
		if err := d.Append(group, "s", []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	path, err := d.Path(group, "s")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("a line without its end"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, limit := range []int{1, 7, 1000} {
		for _, back := range []bool{false, true} {
			r := flow.LogRange{Limit: limit, Back: back}
			if back {
				r.From = -1
			}
			var got []string
			for {
				p, err := d.Read(ctx, group, "s", r)
				if err != nil {
					t.Fatal(err)
				}
				if len(p.Events) == 0 {
					break
				}
				var texts []string
				for _, e := range p.Events {
					texts = append(texts, e.Text)
				}
				if back {
					got = append(texts, got...)
					r.From = p.Head
				} else {
					got = append(got, texts...)
					r.From = p.Tail
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %d, back %v (-want +got):\n%.2000s", limit, back, diff)
			}
		}
	}
	if _, err := d.Read(ctx, group, "s", flow.LogRange{From: 1, Limit: 1}); flow.KindOf(err) != flow.Invalid {
		t.Errorf("Read from within a line: %v; want Invalid", err)
	}
	if _, err := d.Read(ctx, group, "s", flow.LogRange{From: 1 << 40, Limit: 1}); flow.KindOf(err) != flow.Invalid {
		t.Errorf("Read from beyond the end: %v; want Invalid", err)
	}
	// Our next line is not glued to what a killed writer left.
	if err := d.Append(group, "s", []byte("after")); err != nil {
		t.Fatal(err)
	}
	p, err := d.Read(ctx, group, "s", flow.LogRange{From: -1, Back: true, Limit: 2})
	if err != nil || len(p.Events) != 2 || p.Events[0].Text != "a line without its end" || p.Events[1].Text != "after" {
		t.Errorf("the last two lines: %+v, %v", p.Events, err)
	}
}

func TestBounds(t *testing.T) {
	d, ctx := newDir(t), t.Context()
	if err := d.Append(group, "s", []byte(strings.Repeat("é", maxLine))); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := d.Append(group, "s", []byte(strings.Repeat("x", maxLine))); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []flow.LogRange{{Limit: 100}, {Limit: 100, From: -1, Back: true}} {
		p, err := d.Read(ctx, group, "s", r)
		if err != nil || len(p.Events) != 3 {
			t.Errorf("Read(%+v) = %d events, %v; want the 3 that a page has room for", r, len(p.Events), err)
		}
		for _, e := range p.Events {
			if len(e.Text) > maxLine || strings.ContainsRune(e.Text, '\uFFFD') || strings.ToValidUTF8(e.Text, "") != e.Text {
				t.Errorf("a text has %d bytes, or a broken end; want it cut at %d", len(e.Text), maxLine)
			}
		}
	}
}

func TestTimeRange(t *testing.T) {
	d := newDir(t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10 {
		if err := d.Append(group, "s", fmt.Appendf(nil, `{"timestamp":%q,"event":"%d"}`, start.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := d.Read(t.Context(), group, "s", flow.LogRange{Limit: 100, Since: start.Add(2 * time.Second), Until: start.Add(5 * time.Second)})
	if err != nil || len(p.Events) != 3 || !p.Events[0].At.Equal(start.Add(2*time.Second)) {
		t.Errorf("seconds 2 to 5: %d events %+v, %v; want 3 from second 2", len(p.Events), p.Events, err)
	}
}

func TestPutKeepsTextAndTime(t *testing.T) {
	d := newDir(t)
	events := []flow.LogEvent{{At: time.UnixMilli(5).UTC(), Text: "two\nlines"}, {At: time.UnixMilli(6).UTC(), Text: `{"timestamp":"2020-01-01T00:00:00Z"}`}}
	if err := d.Put(group, "s", events); flow.KindOf(err) != flow.NotFound {
		t.Errorf("Put to no group: %v; want NotFound", err)
	}
	if err := d.CreateGroup(group); err != nil {
		t.Fatal(err)
	}
	if err := d.CreateStream(group, "s"); err != nil {
		t.Fatal(err)
	}
	if err := d.Put(group, "s", events); err != nil {
		t.Fatal(err)
	}
	p, err := d.Read(t.Context(), group, "s", flow.LogRange{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Events {
		p.Events[i].Pos, p.Events[i].Next = 0, 0
	}
	if diff := cmp.Diff(events, p.Events); diff != "" {
		t.Errorf("what was put (-want +got):\n%s", diff)
	}
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		lines := make(chan string, 10)
		done := make(chan error)
		go func() {
			done <- d.Follow(ctx, group, "s", 0, func(e flow.LogEvent) error {
				lines <- e.Text
				return nil
			})
		}()
		time.Sleep(time.Second) // nothing is there yet
		for _, want := range []string{"one", "two"} {
			if err := d.Append(group, "s", []byte(want)); err != nil {
				t.Fatal(err)
			}
			if got := <-lines; got != want {
				t.Errorf("followed %q; want %q", got, want)
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow ended with %v; want Canceled", err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"timestamp":"2026-11-21T08:01:02Z","event":"x"}`))
	f.Add([]byte(`{"timestamp":1e300}`))
	f.Add([]byte(`{"@t":1,"@m":"x"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		at, text := parse(line)
		if text == "" && len(line) > 0 && !strings.Contains(string(line), "@m") {
			t.Errorf("parse(%q) has no text, at %s", line, at)
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add(group)
	f.Add("~%2f.")
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" {
			return
		}
		file, hashed := fileName(name)
		if got, ok := nameOf(file); !hashed && (!ok || got != name) {
			t.Errorf("%q became %q, which reads back as %q", name, file, got)
		}
		nameOf(name) // must not panic
	})
}

func newDir(t *testing.T) *Dir {
	t.Helper()
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}
