package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
)

const customised = `customised:
  default_args: {retries: 0}
  params: {who: you}
  tasks:
    count: {operator: house.tools.Count, path: "in/{{ ds_nodash }}.csv", table: {"{{ key }}": ["a {{ params.who }}", 1]}, keep: "{{ ds }}", pause: {__type__: datetime.timedelta, minutes: 2}}
    report: {operator: house.tools.Report, text: "{{ ti.xcom_pull(task_ids='count')['lines'] }}{% set x = 1 %}", query: report.sql, dependencies: [count]}
    there: {operator: house.sensors.Third, poke_interval: 0.1}
    rests: {operator: house.sensors.Rests, mode: reschedule, poke_interval: 0.2}
    late: {operator: house.sensors.Never, mode: reschedule, poke_interval: 0.2, timeout: 0.5}
    soft: {operator: house.sensors.Never, poke_interval: 0.1, timeout: 0.3, soft_fail: true}
    undefined: {operator: house.tools.Report, text: "{{ nobody }}"}
    missing: {operator: house.tools.Report, retries: 3}
    surplus: {operator: house.tools.Report, text: x, wrong: 1, retries: 3}
    absent: {operator: house.tools.Absent, retries: 3}
    function: {operator: house.tools.helper, retries: 3}
    derived: {operator: house.tools.Greeting, name: "{{ params.who }}"}
`

var house = map[string]string{
	"house/__init__.py": "",
	"house/tools.py": `
from airflow.models.baseoperator import BaseOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import get_current_context

def helper(): pass

class Part:
    template_fields = ("text",)
    def __init__(self, text): self.text = text

class Count(BaseOperator):
    template_fields = ("path", "table", "parts", "made")
    def __init__(self, *, path, table=None, keep=None, pause=None, **kwargs):
        super().__init__(**kwargs)
        self.path, self.table, self.keep, self.pause = path, table, keep, pause
        self.parts, self.made = (Part("{{ params.who }}!"),), "made of {{ ds }} and " + path
    def execute(self, context):
        self.log.info("counting %s", self.path)
        assert get_current_context() is context and context["task"] is self
        return {"path": self.path, "lines": 3, "table": self.table, "keep": self.keep, "pause": self.pause.total_seconds(),
            "part": self.parts[0].text, "made": self.made, "retries": self.retries, "timeout": self.execution_timeout.total_seconds()}

class Report(BaseOperator):
    template_fields = ("text", "query")
    template_ext = (".sql",)
    def __init__(self, *, text, query="", **kwargs):
        super().__init__(**kwargs)
        self.text, self.query = text, query
    def execute(self, context):
        context["ti"].xcom_push("query", self.query)
        return self.text

class Greeting(BashOperator):
    def __init__(self, *, name, **kwargs):
        super().__init__(bash_command="echo first; echo hello " + name, **kwargs)
`,
	"house/sensors.py": `
import os
from airflow.sensors.base import BaseSensorOperator, PokeReturnValue

class Third(BaseSensorOperator):
    n = 0
    def poke(self, context):
        self.n += 1
        return PokeReturnValue(self.n == 3, xcom_value=[self.n, os.getpid() > 0])

class Rests(BaseSensorOperator):
    def poke(self, context):
        n = context["task_reschedule_count"]
        self.log.info("asked %d times before", n)
        return PokeReturnValue(n == 2, xcom_value=n)

class Never(BaseSensorOperator):
    def poke(self, context): return False
`,
	"report.sql": "select '{{ ds_nodash }}'\n",
}

// TestCustomOperators runs operators and sensors that a code package brings.
func TestCustomOperators(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 on this machine")
	}
	c := serve(t, nil)
	arn := c.packaged("customised", customised, house)
	id := c.start(arn, nil)
	c.until(arn, id, over)
	got := map[string]string{}
	day := ""
	for _, ti := range c.instances(arn, id) {
		text := string(ti.Status)
		for _, key := range []string{"return_value", "query"} {
			if v, ok := ti.Xcom[key]; ok {
				text += " " + key + "=" + v
			}
		}
		if ti.ErrorMessage != nil {
			text += " (" + strings.TrimSpace(*ti.ErrorMessage) + ")"
		}
		if before, _, ok := strings.Cut(text, "; run duration of "); ok {
			text = before // how long it took varies
		}
		if *ti.AttemptNumber != 1 {
			text += " at attempt " + aws.ToString(ti.TaskId)
		}
		if *ti.TaskId == "count" {
			_, day, _ = strings.Cut(text, "made of ")
			day, _, _ = strings.Cut(day, " ")
		}
		got[*ti.TaskId] = text
	}
	nodash := strings.ReplaceAll(day, "-", "")
	want := map[string]string{
		"count": `SUCCESS return_value={"path":"in/` + nodash + `.csv","lines":3,"table":{"{{ key }}":["a you",1]},"keep":"{{ ds }}","pause":120.0,` +
			`"part":"you!","made":"made of ` + day + ` and in/` + nodash + `.csv","retries":0,"timeout":3600.0}`,
		"report":    `SUCCESS return_value="3" query="select '` + nodash + `'"`,
		"there":     `SUCCESS return_value=[3,true]`,
		"rests":     `SUCCESS return_value=2`,
		"late":      `FAILED (AirflowSensorTimeout: Sensor has timed out`,
		"soft":      `NONE (Sensor has timed out`,
		"undefined": `FAILED (UndefinedError: 'nobody' is undefined)`,
		"missing":   `FAILED (TypeError: missing keyword argument 'text')`,
		"surplus":   "FAILED (TypeError: Invalid arguments were passed to Report (task_id: surplus). Invalid arguments were:\n**kwargs: {'wrong': 1})",
		"absent":    `FAILED (AttributeError: module 'house.tools' has no attribute 'Absent')`,
		"function":  `FAILED (TypeError: house.tools.helper is not a class derived from airflow.sdk.BaseOperator)`,
		"derived":   `SUCCESS return_value="hello you"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
}
