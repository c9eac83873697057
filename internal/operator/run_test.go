package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
)

// TestMain lets the test binary stand in for "fairlead operator".
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "operator" {
		log, result := os.NewFile(3, "log"), os.NewFile(4, "result")
		if err := Perform(context.Background(), os.Stdin, result, log); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// testOperators returns operators whose processes run outside of a cage.
func testOperators(t *testing.T, change func(*Settings)) *Operators {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := Settings{Self: self, Dir: t.TempDir(), Unmounted: true, Path: os.Getenv("PATH"), Region: "eu-west-1"}
	if change != nil {
		change(&s)
	}
	o, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A ran is what became of a call.
type ran struct {
	flow.Outcome
	log  string // lines of the log descriptor
	text string // plain output
}

func (r ran) String() string {
	return fmt.Sprintf("%s %q outputs %s\nlog:\n%soutput:\n%s", r.Verdict, r.Reason, encode(r.Outputs), r.log, r.text)
}

// run carries out a call as the conductor would, with a plain process for a
// cage.
func run(t *testing.T, o *Operators, c Call) ran {
	t.Helper()
	r, ok := o.Runner(c.Path)
	if !ok {
		t.Fatalf("Runner(%q): none", c.Path)
	}
	spec, err := r.Command(c)
	if err != nil {
		return ran{Outcome: Outcome(err)}
	}
	x, log, text := start(t, spec)
	return ran{r.Finish(c, x), log, text}
}

// start runs a spec without any cage.
func start(t *testing.T, s exec.Spec) (x exec.Exit, log, text string) {
	t.Helper()
	var out bytes.Buffer
	cmd := osexec.Command(s.Argv[0], s.Argv[1:]...)
	cmd.Env = append(s.Env, "FAIRLEAD_LOG_FD=3", "FAIRLEAD_RESULT_FD=4", "HOME="+t.TempDir())
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Dir, bytes.NewReader(s.Stdin), &out, &out
	if cmd.Dir == "" {
		cmd.Dir = t.TempDir()
	}
	var readers sync.WaitGroup
	var got [2][]byte
	for i := range got {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, w)
		readers.Go(func() { got[i], _ = io.ReadAll(r); r.Close() })
	}
	x.Started = time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %q: %v", s.Argv, err)
	}
	for _, w := range cmd.ExtraFiles {
		w.Close()
	}
	err := cmd.Wait()
	readers.Wait()
	x.Ended = time.Now()
	if ee, ok := errors.AsType[*osexec.ExitError](err); ok {
		x.Code = ee.ExitCode()
		if ws := ee.Sys().(syscall.WaitStatus); ws.Signaled() {
			x.Code, x.Signal = 128+int(ws.Signal()), ws.Signal().String()
		}
	} else if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	x.LastLine, x.Result = lines[len(lines)-1], got[1]
	for line := range strings.Lines(string(got[0])) {
		var l struct{ Timestamp, Level, Event, Logger string }
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Timestamp == "" || l.Level == "" || l.Logger == "" {
			t.Errorf("log line %q: %v, want timestamp, level, event and logger", line, err)
		}
	}
	return x, string(got[0]), out.String()
}

// call returns a call with arguments in turn name, value.
func call(path string, args ...any) Call {
	c := Call{Path: path, Args: map[string]json.RawMessage{}, Task: TaskContext{
		DagID: "etl", RunID: "R1", TaskID: "t", Try: 2, MaxTries: 3,
		Logical: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC),
		Started: time.Date(2026, 11, 21, 8, 0, 1, 500000000, time.UTC),
		Params:  json.RawMessage(`{"limit":10,"name":"x"}`), Conf: json.RawMessage(`{"name":"x"}`),
	}}
	for i := 0; i < len(args); i += 2 {
		c.Args[args[i].(string)] = encode(args[i+1])
	}
	return c
}

// expect reports a difference in verdict, in the reason (a part of it) or in
// the outputs.
func expect(t *testing.T, what any, got ran, verdict flow.Verdict, reason, outputs string) {
	t.Helper()
	if got.Verdict != verdict || !strings.Contains(got.Reason, reason) || (reason == "") != (got.Reason == "") {
		t.Errorf("%v\n got %v\nwant %s %q", what, got, verdict, reason)
	}
	if outputs == "" {
		outputs = "{}"
	}
	if o := string(encode(got.Outputs)); o != outputs && !(outputs == "{}" && o == "null") {
		t.Errorf("%v\n got outputs %s\nwant outputs %s\n%v", what, o, outputs, got)
	}
}
