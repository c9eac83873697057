package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
)

const explained = `nightly:
  schedule: "17 3 * * MON-FRI"
  timezone: Europe/Berlin
  start_date: "2126-12-30"
  end_date: "2126-12-31"
  catchup: true
  max_active_runs: 1
  params:
    bucket: "a & <b>"
    day: {type: [string, "null"], default: null}
  tasks:
    last:
      operator: airflow.operators.bash.BashOperator
      bash_command: echo
      trigger_rule: all_done
      dependencies: [wait, load]
      retries: 0
      params: {n: 1.5}
    wait:
      operator: airflow.providers.amazon.aws.sensors.s3.S3KeySensor
      bucket_key: s3://b/k
      mode: reschedule
      timeout: {__type__: datetime.timedelta, hours: 2}
      soft_fail: true
    load:
      operator: mine.Größer
      retry_delay: 90
      dependencies: [wait]
`

func TestExplainText(t *testing.T) {
	out, errOut, err := try("", "explain", "--code", ".", write(t, explained))
	want := `nightly: 3 tasks
  schedule   17 3 * * MON-FRI (at 03:17 on Monday through Friday), Europe/Berlin
  from       2126-12-30T00:00:00+01:00
  until      2126-12-31T00:00:00+01:00
  next       2126-12-30T03:17:00+01:00
  at once    1 run, 16 tasks of each
  params     bucket (string) = "a & <b>"
             day (string or null) = null

1. wait  S3KeySensor
  operator   airflow.providers.amazon.aws.sensors.s3.S3KeySensor
  retries    1, 5m after a failure
  timeout    1h
  sensor     looks every 1m for at most 2h, mode reschedule, soft_fail

2. load  Größer
  operator   mine.Größer (this version cannot run it)
  after      wait
  retries    1, 1m30s after a failure
  timeout    1h

3. last  BashOperator
  operator   airflow.operators.bash.BashOperator
  after      wait, load
  when       all_done
  retries    none
  timeout    1h
  params     n (number) = 1.5

worth knowing
  3:3: note: nightly.timezone: timezone is a key of dag-factory; the service's documents do not mention it
  6:3: warning: nightly.catchup: catchup is accepted and has no effect: missed schedules are never made up for
  26:17: warning: nightly.tasks.load.operator: Größer is not among the known operators: the code package must bring it, and its arguments are not checked
`
	if d := cmp.Diff(want, out); d != "" || errOut != "" || err != nil {
		t.Errorf("explain: want -, got +:\n%s%s%v", d, errOut, err)
	}
}

func write(t *testing.T, definition string) string {
	file := filepath.Join(t.TempDir(), "d.yaml")
	if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExplainJSON(t *testing.T) {
	out, _, err := try("", "explain", "--code", ".", "--format", "json", write(t, explained))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		DagID    string `json:"dag_id"`
		Schedule struct{ Expression, Words, Timezone string }
		Params   []struct{ Name, Type string }
		Tasks    []struct {
			ID         string `json:"task_id"`
			Upstream   []string
			Downstream []string
			Rule       string `json:"trigger_rule"`
			Retries    int
			Sensor     *struct{ Timeout float64 }
		}
		Edges    [][2]string
		Warnings []string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	text := fmt.Sprintf("%s %s %v %v %d", got.DagID, got.Schedule, got.Params, got.Edges, len(got.Warnings))
	for _, x := range got.Tasks {
		text += fmt.Sprintf("\n%s %v %v %s %d %t", x.ID, x.Upstream, x.Downstream, x.Rule, x.Retries, x.Sensor != nil)
	}
	want := `nightly {17 3 * * MON-FRI at 03:17 on Monday through Friday Europe/Berlin} [{bucket string} {day string or null}] [[wait load] [wait last] [load last]] 3
wait [] [load last] all_success 1 true
load [wait] [last] all_success 1 false
last [wait load] [] all_done 0 false`
	if text != want {
		t.Errorf("explain --format json\n%s\ngot\n%s\nwant\n%s", out, text, want)
	}
}

func TestExplainMermaid(t *testing.T) {
	out, _, err := try(explained, "explain", "--code", ".", "--format", "mermaid", write(t, explained))
	want := `flowchart LR
  t0(["wait<br/>S3KeySensor"])
  t1["load<br/>Gr#246;#223;er"]
  t2["last<br/>BashOperator<br/>all_done"]
  t0 --> t1
  t0 --> t2
  t1 --> t2
`
	if out != want || err != nil {
		t.Errorf("explain --format mermaid: %v, got\n%s\nwant\n%s", err, out, want)
	}
}

func TestExplainRefuses(t *testing.T) {
	file := write(t, "d: {tasks: {a: {operator: nope}}}")
	for _, format := range []string{"text", "json", "svg", "mermaid"} {
		out, errOut, err := try("", "explain", "--format", format, file)
		var code exitError
		if out != "" || !strings.HasPrefix(errOut, file+":1:27: error: d.tasks.a.operator: ") || !errors.As(err, &code) || code != 1 {
			t.Errorf("explain --format %s: got %q, %q, %v, want the fault and exit status 1", format, out, errOut, err)
		}
	}
	if _, _, err := try("", "explain", "--format", "dot", file); err == nil || err.Error() != `--format "dot": expected text, json, svg or mermaid` {
		t.Errorf("explain --format dot: %v", err)
	}
}

// texts returns what an XML document holds between its tags, and fails if it
// is not well formed.
func texts(t testing.TB, doc []byte) (all []string) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s\nis not XML: %v", doc, err)
		}
		if c, ok := tok.(xml.CharData); ok {
			all = append(all, string(c))
		}
	}
}

func TestExplainSVG(t *testing.T) {
	out, _, err := try("", "explain", "--code", ".", "--format", "svg", write(t, explained))
	if err != nil {
		t.Fatal(err)
	}
	all := texts(t, []byte(out))
	for _, want := range []string{"nightly", "wait", "load", "last", "Größer", "BashOperator, all_done"} {
		if !slices.Contains(all, want) {
			t.Errorf("the drawing has the texts %q, without %q", all, want)
		}
	}
	// Names that could be taken for markup, were they not escaped.
	x := airflow.Explanation{DagID: `"><script>`, Tasks: []airflow.ExplainedTask{{ID: "</text>&", Class: "]]>\x00"}}}
	var b bytes.Buffer
	if err := writeSVG(&b, x); err != nil {
		t.Fatal(err)
	}
	if all := texts(t, b.Bytes()); !slices.Contains(all, `"><script>`) || !slices.Contains(all, "</text>&") {
		t.Errorf("got the texts %q, want the names as they are", all)
	}
	if err := writeSVG(io.Discard, airflow.Explanation{Edges: make([][2]flow.TaskID, svgMostEdges+1)}); err == nil {
		t.Error("a graph of too many edges is drawn")
	}
}

// randomExplanation has n tasks, each with up to ups upstreams.
func randomExplanation(r *rand.Rand, n, ups int) airflow.Explanation {
	var x airflow.Explanation
	for i := range n {
		t := airflow.ExplainedTask{ID: flow.TaskID(fmt.Sprintf("t%d", i)), Class: strings.Repeat("C", r.IntN(30)), Rule: flow.AllSuccess}
		for _, j := range r.Perm(i)[:min(i, r.IntN(ups+1))] {
			t.Upstream = append(t.Upstream, x.Tasks[j].ID)
			x.Edges = append(x.Edges, [2]flow.TaskID{x.Tasks[j].ID, t.ID})
		}
		x.Tasks = append(x.Tasks, t)
	}
	return x
}

// TestDrawing lays random graphs out: no boxes overlap, and all edges point
// right.
func TestDrawing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		x := randomExplanation(r, 1+r.IntN(60), 1+r.IntN(4))
		if i == 0 {
			x = randomExplanation(r, 700, 3) // more lanes than are drawn
		}
		d := newDrawing(x)
		d.order()
		d.place()
		for _, rank := range d.ranks {
			for k := 1; k < len(rank); k++ {
				a, b := d.spots[rank[k-1]], d.spots[rank[k]]
				if a.y+a.height/2+svgGapY-1e-6 > b.y-b.height/2 {
					t.Fatalf("graph %d: spots %d and %d overlap: %+v %+v", i, rank[k-1], rank[k], a, b)
				}
			}
		}
		for _, c := range d.chains {
			from, to := d.spots[c[0]], d.spots[c[len(c)-1]]
			if from.left+from.width >= to.left {
				t.Fatalf("graph %d: an edge runs from %+v back to %+v", i, from, to)
			}
		}
		for _, s := range d.spots {
			if s.left < svgMargin || s.y-s.height/2 < svgMargin-1e-6 {
				t.Fatalf("graph %d: %+v is outside the drawing", i, s)
			}
		}
	}
}

// FuzzExplain holds that whatever compiles is explained in every form.
func FuzzExplain(f *testing.F) {
	f.Add([]byte(explained))
	f.Add([]byte("d: {params: {a: {type: null}, b: {__type__: airflow.sdk.Param}}, tasks: {a: {operator: x.y, dependencies: []}}}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		def, found := compiler{}.compile(src, true)
		if slices.ContainsFunc(found, func(d flow.Diagnostic) bool { return d.Severity == flow.Fault }) {
			return
		}
		x, err := airflow.Explain(def, found, nil, operator.Default().Implemented)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := writeSVG(&b, x); err != nil {
			t.Fatal(err)
		}
		texts(t, b.Bytes())
		b.Reset()
		if err := writeJSON(&b, x); err != nil || !json.Valid(b.Bytes()) {
			t.Fatalf("%s: %v", b.Bytes(), err)
		}
		if s := x.Text() + x.Mermaid(); strings.ContainsAny(s, "\x1b\r\x00") {
			t.Errorf("%q has characters that steer a terminal", s)
		}
	})
}
