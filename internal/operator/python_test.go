package operator

import (
	"encoding/json"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

const pythonPath = "airflow.providers.standard.operators.python.PythonOperator"

// userCode is the code package of the tests.
var userCode = map[string]string{
	"tidy.py": `
import datetime, decimal, enum, logging, sys, uuid
from dataclasses import dataclass
from typing import NamedTuple
from airflow.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow.sdk import Variable, get_current_context
from airflow.operators.python import get_current_context as legacy

def nothing(): pass
def add(a, b=2): return a + b
def shout(ti, params, ds, ts): return [ti.xcom_pull(task_ids="count"), params["limit"], ds, ts]
def wild(x, **kwargs): return [x, kwargs["ti"].try_number, kwargs["dag_run"].conf, kwargs["run_id"], sorted(kwargs)[:3]]
def over(ds): return ds
def positional(ds): return ds
def push(ti):
    ti.xcom_push(key="k", value={"a": (1, 2)})
    return ti.xcom_pull(key="k")
def pulls(ti): return [ti.xcom_pull(task_ids=["count", "none"]), ti.xcom_pull(task_ids="none"), ti.xcom_pull(task_ids="count", key="other", default=7)]
def boom():
    try:
        raise KeyError("first")
    except KeyError as e:
        raise ValueError("boom é") from e
def fail_now(): raise AirflowFailException("no use")
def skip(ti):
    ti.xcom_push("seen", 1)
    raise AirflowSkipException("nothing to do")
def leave(): sys.exit(0)
def vanish():
    import os
    os._exit(0)
def text():
    print("plain é")
    print("to stderr", file=sys.stderr)
    logging.getLogger("my.job").warning("watch %s", "out")
    logging.getLogger("my.job").debug("unseen")
def bad(): return object()
def plain_enum(): return Plain.RED
def unique(): return [uuid.UUID(int=5)]
def raw(): return b"x"
def reserved(): return {"__classname__": "x"}
def late(): raise AirflowSensorTimeout("too late")
def names(**kwargs): return sorted(kwargs)
def only_by_name(*, ti, ds="x", own=1): return [ti.task_id, ds, own]
def nan(): return float("nan")
def big(): return "x" * 200000
def context(): return [get_current_context()["ds"], legacy()["ti"].task_id]
def variable(): return [Variable.get("place"), Variable.get("none", default_var=None)]
def standard():
    import csv
    return hasattr(csv, "reader")
def stdin(): return sys.stdin.read()
@dataclass
class Point:
    x: int
class Color(str, enum.Enum):
    RED = "red"
class Plain(enum.Enum):
    RED = "red"
class Pair(NamedTuple):
    a: int
def values():
    return {1: {3, 1}, "d": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), "n": decimal.Decimal("1.50"),
        "u": datetime.timedelta(seconds=1.5), "p": [Point(1), Pair(2)], "c": Color.RED, "f": 1.0, "i": 2**70, "t": (None, True), "e": "<é>"}
def types(i, f, n): return [type(i).__name__, type(f).__name__, n]
def templates(templates_dict): return templates_dict["q"]
class Box:
    @staticmethod
    def open(): return "open"
not_callable = 1
`,
	"pack/__init__.py": "",
	"pack/inner.py":    "def hello(name='x'):\n    return 'hello ' + name\n",
	"broken.py":        "def f(:\n",
	"needs.py":         "import no_such_module\ndef f(): pass\n",
	"csv.py":           "raise RuntimeError('the package must not shadow the standard library')\n",
}

func writeCode(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range userCode {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// withPython returns operators that have an interpreter, or skips the test.
func withPython(t *testing.T, change func(*Settings)) *Operators {
	t.Helper()
	// A version manager's shim works in its owner's environment only.
	out, err := osexec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skip("no python3 here:", err)
	}
	return testOperators(t, func(s *Settings) {
		s.Python = strings.TrimSpace(string(out))
		if change != nil {
			change(s)
		}
	})
}

func TestPython(t *testing.T) {
	o := withPython(t, nil)
	code := writeCode(t)
	for _, tt := range []struct {
		fn              string
		args            []any
		verdict         flow.Verdict
		reason, outputs string
		log, text       string // parts of the log and of the output
	}{
		{fn: "tidy.nothing", verdict: flow.Success, log: "Done. Returned value was: None"},
		{fn: "tidy.add", args: []any{"op_args", []int{1}}, verdict: flow.Success, outputs: `{"return_value":3}`, log: `Done. Returned value was: 3`},
		{fn: "tidy.add", args: []any{"op_kwargs", map[string]int{"a": 5, "b": 6}, "show_return_value_in_logs", false}, verdict: flow.Success,
			outputs: `{"return_value":11}`, log: "Returned value not shown"},
		{fn: "tidy.add", args: []any{"op_kwargs", map[string]int{"a": 5, "unknown": 6}}, verdict: flow.Success, outputs: `{"return_value":7}`},
		{fn: "tidy.add", verdict: flow.Failure, reason: "TypeError: add() missing 1 required positional argument: 'a'"},
		{fn: "tidy.shout", verdict: flow.Success, outputs: `{"return_value":[{"lines":3},10,"2026-11-21","2026-11-21T08:00:00+00:00"]}`},
		{fn: "tidy.wild", args: []any{"op_args", []string{"first"}}, verdict: flow.Success, outputs: `{"return_value":["first",2,{"name":"x"},"R1",["conn","dag","dag_run"]]}`},
		{fn: "tidy.over", args: []any{"op_kwargs", map[string]string{"ds": "mine"}}, verdict: flow.Success, outputs: `{"return_value":"mine"}`},
		{fn: "tidy.positional", args: []any{"op_args", []string{"x"}}, verdict: flow.Failure, reason: "The key 'ds' in args is a part of kwargs and therefore reserved."},
		{fn: "tidy.push", verdict: flow.Success, outputs: `{"k":{"a":[1,2]},"return_value":{"a":[1,2]}}`},
		{fn: "tidy.pulls", verdict: flow.Success, outputs: `{"return_value":[[{"lines":3},null],null,7]}`},
		{fn: "tidy.boom", verdict: flow.Failure, reason: "ValueError: boom é", log: `"exc_type":"KeyError"`},
		{fn: "tidy.fail_now", verdict: flow.Fatal, reason: "AirflowFailException: no use"},
		{fn: "tidy.skip", verdict: flow.Skip, reason: "nothing to do", outputs: `{"seen":1}`},
		{fn: "tidy.leave", verdict: flow.Failure, reason: "SystemExit: 0", log: `"event":"Task exited","logger":"task","exit_code":0`},
		{fn: "tidy.vanish", verdict: flow.Failure, reason: "the Python process ended without a report (exit status 0)"},
		{fn: "tidy.text", verdict: flow.Success, log: `"event":"watch out","logger":"my.job"`, text: "plain é\nto stderr\n"},
		{fn: "tidy.bad", verdict: flow.Failure, reason: "TypeError: cannot serialize object of type <class 'object'>"},
		{fn: "tidy.plain_enum", verdict: flow.Failure, reason: "TypeError: cannot serialize object of type <enum 'Plain'>"},
		{fn: "tidy.unique", verdict: flow.Failure, reason: "TypeError: cannot serialize object of type <class 'uuid.UUID'>"},
		{fn: "tidy.raw", verdict: flow.Failure, reason: "TypeError: cannot serialize object of type <class 'bytes'>"},
		{fn: "tidy.reserved", verdict: flow.Failure, reason: "AttributeError: reserved key __classname__"},
		{fn: "tidy.late", verdict: flow.Fatal, reason: "AirflowSensorTimeout: too late"},
		{fn: "tidy.only_by_name", args: []any{"op_kwargs", map[string]int{"own": 2}}, verdict: flow.Success, outputs: `{"return_value":["t","2026-11-21",2]}`},
		{fn: "tidy.names", args: []any{"op_kwargs", map[string]int{"own": 2}, "templates_dict", map[string]int{"q": 1}}, verdict: flow.Success,
			outputs: `{"return_value":["conn","dag","dag_run","data_interval_end","data_interval_start","ds","ds_nodash","inlet_events","inlets","logical_date","macros","map_index_template","outlet_events","outlets","own","params","prev_data_interval_end_success","prev_data_interval_start_success","prev_end_date_success","prev_start_date_success","run_id","task","task_instance","task_instance_key_str","task_reschedule_count","templates_dict","ti","triggering_asset_events","ts","ts_nodash","ts_nodash_with_tz","var"]}`},
		{fn: "tidy.nan", verdict: flow.Failure, reason: "cannot keep the number nan"},
		{fn: "tidy.big", verdict: flow.Failure, reason: "the XCom value 'return_value' has 200002 bytes; the limit is 102400"},
		{fn: "tidy.context", verdict: flow.Success, outputs: `{"return_value":["2026-11-21","t"]}`},
		{fn: "tidy.variable", verdict: flow.Success, outputs: `{"return_value":["here",null]}`},
		{fn: "tidy.stdin", verdict: flow.Success, outputs: `{"return_value":""}`},
		{fn: "tidy.values", verdict: flow.Success,
			outputs: `{"return_value":{"1":[1,3],"d":"2026-01-02T00:00:00+00:00","n":"1.5","u":1.5,"p":[{"x":1},[2]],"c":"red","f":1.0,"i":1180591620717411303424,"t":[null,true],"e":"<é>"}}`},
		{fn: "tidy.types", args: []any{"op_args", json.RawMessage(`[1, 1.0, 123456789012345678901234567890]`)}, verdict: flow.Success,
			outputs: `{"return_value":["int","float",123456789012345678901234567890]}`},
		{fn: "tidy.templates", args: []any{"templates_dict", map[string]string{"q": "select 1"}}, verdict: flow.Success, outputs: `{"return_value":"select 1"}`},
		{fn: "tidy.Box.open", verdict: flow.Success, outputs: `{"return_value":"open"}`},
		{fn: "tidy.not_callable", verdict: flow.Failure, reason: "`python_callable` param must be callable"},
		{fn: "tidy.absent", verdict: flow.Failure, reason: "AttributeError: module 'tidy' has no attribute 'absent'"},
		{fn: "pack.inner.hello", verdict: flow.Success, outputs: `{"return_value":"hello x"}`},
		{fn: "tidy.standard", verdict: flow.Success, outputs: `{"return_value":true}`},
		{fn: "nowhere.f", verdict: flow.Failure, reason: "ModuleNotFoundError: No module named 'nowhere'"},
		{fn: "needs.f", verdict: flow.Failure, reason: "ModuleNotFoundError: No module named 'no_such_module'"},
		{fn: "broken.f", verdict: flow.Failure, reason: "SyntaxError: invalid syntax"},
		{fn: "tidy", verdict: flow.Fatal, reason: "names no module"},
		{fn: "tidy.add", args: []any{"op_args", "[1]"}, verdict: flow.Failure, reason: "op_args must be a list"},
		{args: []any{"python_callable_name", "hello", "python_callable_file", dagsDir + "/pack/inner.py", "op_args", []string{"file"}}, verdict: flow.Success, outputs: `{"return_value":"hello file"}`},
		{verdict: flow.Fatal, reason: "names no function"},
	} {
		t.Run(tt.fn, func(t *testing.T) {
			t.Parallel()
			args := tt.args
			if tt.fn != "" {
				args = append([]any{"python_callable", tt.fn}, args...)
			}
			c := call(pythonPath, args...)
			c.Code = code
			c.Env = map[string]string{"AIRFLOW_VAR_PLACE": "here", "PYTHONPATH": "/nowhere"}
			c.XComs = map[string]map[string]json.RawMessage{"count": {"return_value": json.RawMessage(`{"lines":3}`)}}
			got := run(t, o, c)
			expect(t, args, got, tt.verdict, tt.reason, tt.outputs)
			if !strings.Contains(got.log, tt.log) || !strings.Contains(got.text, tt.text) {
				t.Errorf("%q\n got %v\nwant log with %q and output with %q", args, got, tt.log, tt.text)
			}
			if failed := got.Verdict == flow.Failure || got.Verdict == flow.Fatal; got.log != "" && failed != (strings.Contains(got.log, "Task failed with exception") || strings.Contains(got.log, "Task exited")) {
				t.Errorf("%q: log is %s, verdict %s", args, got.log, got.Verdict)
			}
		})
	}
}

func TestPythonWithoutInterpreter(t *testing.T) {
	o := testOperators(t, nil)
	r, _ := o.Runner(pythonPath)
	s, err := r.Command(call(pythonPath, "python_callable", "a.b"))
	if err != nil || s.Argv[0] != "python3" {
		t.Errorf("Command = %q, %v; want python3", s.Argv, err)
	}
}

func TestStandInIsKept(t *testing.T) {
	dir := t.TempDir()
	first, err := writeStandIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := writeStandIn(dir)
	if err != nil || second != first {
		t.Errorf("writeStandIn twice = %s, %s, %v; want one directory", first, second, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%s holds %v, want one directory", dir, entries)
	}
}
