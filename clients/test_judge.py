"""The stand-in for Airflow, judged by Airflow.

The same package runs on two servers: one whose interpreter has no Airflow, and
one whose interpreter has the service's. Both must give the same states, the
same XComs, the same errors and the same log lines. FAIRLEAD_AIRFLOW names the
interpreter that has Airflow; `make judge` installs one.
"""

import io
import json
import os
import re
import textwrap
import time
import uuid
import zipfile

import pytest

from conftest import FINAL, ROLE, Server

AIRFLOW = os.environ.get("FAIRLEAD_AIRFLOW")
pytestmark = pytest.mark.skipif(not AIRFLOW, reason="FAIRLEAD_AIRFLOW names no interpreter with Airflow: the stand-in is not judged")

# Each function is a task.
FUNCTIONS = '''
def nothing(): pass
def text(): return "é"
def numbers(): return [1, 2.5, -0.0, 2**70, True, None]
def by_name(ds, ts, ds_nodash, ts_nodash, ts_nodash_with_tz, run_id, task_instance_key_str, test=1):
    return [ds == ts[:10], ds_nodash == ds.replace("-", ""), len(ts_nodash), len(ts_nodash_with_tz), type(run_id).__name__, task_instance_key_str[:7], test]
def all_names(**context): return sorted(set(context) - {"try_number", "test_mode", "start_date"})
def instance(ti): return [ti.task_id, ti.try_number, ti.map_index, ti.max_tries, str(ti.state), ti.is_mapped]
def run(dag_run): return [dag_run.conf, str(dag_run.logical_date)[10:11], str(dag_run.state.value if hasattr(dag_run.state, "value") else dag_run.state), dag_run.clear_number]
def params(params): return [params["n"], params["s"], dict(params)]
def current():
    from airflow.sdk import get_current_context
    return get_current_context()["ti"].task_id
def push(ti):
    ti.xcom_push(key="own", value={"a": [1]})
    return ti.xcom_pull(task_ids="push", key="own")
def pull(ti): return [ti.xcom_pull(task_ids="text"), ti.xcom_pull(task_ids=["text", "numbers"]), ti.xcom_pull(task_ids="absent"), ti.xcom_pull(task_ids="text", key="absent")]
def positional(ds): return ds
def surplus(a): return a
def missing(a, b): return a
def named_tuple(): return collections.namedtuple("P", "x y")(1, (2, 3))
def sets(): return [{3}, frozenset([4]), (5,)]
def moments(): return [datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc), datetime.date(2026, 1, 2), datetime.timedelta(minutes=1.5)]
def decimals(): return [decimal.Decimal("1.50"), decimal.Decimal("3")]
def keys(): return {1: "a", None: "b", True: "c"}
def words(): return Word.A
def plain_enum(): return Plain.A
def dataclass(): return Point(1, [2])
def unique(): return uuid.UUID(int=1)
def octets(): return b"x"
def reserved(): return {"__classname__": 1}
def an_object(): return object()
def a_function(): return nothing
def fails(): raise ValueError("bad é")
def caused():
    try: 1 / 0
    except ZeroDivisionError as e: raise RuntimeError("worse") from e
def during():
    try: 1 / 0
    except ZeroDivisionError: raise RuntimeError("worse")
def noted():
    e = ValueError("noted"); e.add_note("a note"); raise e
def airflow_error(): raise AirflowException("wrong")
def fatal(): raise AirflowFailException("for good")
def sensor_timeout(): raise AirflowSensorTimeout("late")
def task_timeout(): raise AirflowTaskTimeout("late")
def skips(): raise AirflowSkipException("not today")
def skips_silently(): raise AirflowSkipException
def reference(): raise AirflowNotFoundException("where")
def leaves(): sys.exit(3)
def leaves_well(): sys.exit(0)
def interrupted(): raise KeyboardInterrupt
def logs():
    print("printed")
    logging.getLogger("house").warning("%d %s", 1, "warned")
    logging.getLogger("house").debug("unseen")
    try: 1 / 0
    except ZeroDivisionError: logging.getLogger("house").exception("logged")
def variable(): return [Variable.get("place"), Variable.get("absent", default=3), Variable.get("parsed", deserialize_json=True)]
def no_variable(): return Variable.get("absent")
def accessors(var): return [var["value"].place, var["json"].parsed["a"]]
def connection():
    c = BaseHook.get_connection("base")
    return [c.conn_type, c.host, c.login, c.password, c.schema, c.port, c.extra_dejson]
def json_connection():
    c = BaseHook.get_connection("doc")
    return [c.conn_type, c.host, c.extra_dejson, c.port]
def no_connection(): return BaseHook.get_connection("absent")
'''

HEAD = '''
import collections, dataclasses, datetime, decimal, enum, logging, os, sys, uuid
os.environ.update(
    AIRFLOW_VAR_PLACE="here", AIRFLOW_VAR_PARSED='{"a": [1]}', AIRFLOW_CONN_BASE="postgresql://me:s%3Acret@db.example.com:5432/main?sslmode=require&x=1",
    AIRFLOW_CONN_DOC='{"conn_type": "http", "host": "https://example.com", "port": 8080, "extra": {"a": {"b": 1}}}',
)
from airflow.exceptions import (AirflowException, AirflowFailException, AirflowNotFoundException, AirflowSensorTimeout,
    AirflowSkipException, AirflowTaskTimeout)
from airflow.sdk import Variable
from airflow.hooks.base import BaseHook
from airflow.models.baseoperator import BaseOperator
from airflow.sensors.base import BaseSensorOperator, PokeReturnValue
class Word(str, enum.Enum): A = "a"
class Plain(enum.Enum): A = "a"
@dataclasses.dataclass
class Point:
    x: int
    y: list
'''

CLASSES = '''
class Echo(BaseOperator):
    template_fields = ("text", "deep")
    def __init__(self, *, text, deep=None, plain=None, **kwargs):
        super().__init__(**kwargs)
        self.text, self.deep, self.plain = text, deep, plain
    def execute(self, context):
        self.log.info("echo %s", self.text)
        return [self.text, self.deep, self.plain, self.task_id, self.retries]
class Door(BaseSensorOperator):
    asked = 0
    def poke(self, context):
        self.asked += 1
        return PokeReturnValue(self.asked + context["task_reschedule_count"] == 2, xcom_value="open")
class Shut(BaseSensorOperator):
    def poke(self, context): return False
class Broken(BaseSensorOperator):
    def poke(self, context): raise ValueError("broken")
'''

# Tasks that are not a function without arguments.
TASKS = {
    "positional": "python_callable: house.positional\n      op_args: [x]",
    "surplus": "python_callable: house.surplus\n      op_kwargs: {a: 1, ds: mine, b: 2}",
    "echo": "operator: house.Echo\n      text: '{{ params.s }}!'\n      deep: {k: ['{{ 1 + 1 }}', 3]}\n      plain: '{{ no }}'",
    "echo_undefined": "operator: house.Echo\n      text: '{{ nobody }}'",
    "echo_missing": "operator: house.Echo",
    "echo_wrong": "operator: house.Echo\n      text: x\n      wrong: 1",
    "door": "operator: house.Door\n      poke_interval: 0.1",
    "door_rests": "operator: house.Door\n      poke_interval: 0.1\n      mode: reschedule",
    "shut": "operator: house.Shut\n      poke_interval: 0.1\n      timeout: 0.2",
    "shut_soft": "operator: house.Shut\n      poke_interval: 0.1\n      timeout: 0.2\n      soft_fail: true",
    "broken": "operator: house.Broken",
    "broken_never": "operator: house.Broken\n      never_fail: true",
    "broken_mode": "operator: house.Door\n      mode: odd",
}
NAMES = [line[4:].partition("(")[0] for line in FUNCTIONS.splitlines() if line.startswith("def ")]


def definition():
    lines = ["judged:", "  default_args: {retries: 0}", "  params: {n: 1, s: you}", "  max_active_tasks: 2", "  tasks:"]
    for name in dict.fromkeys([*NAMES, *TASKS]):
        body = TASKS.get(name, f"python_callable: house.{name}")
        lines.append(f"    {name}:")
        if not body.startswith("operator:"):
            lines.append("      operator: airflow.providers.standard.operators.python.PythonOperator")
        lines.append("      " + body)
        if name == "pull":
            lines.append("      dependencies: [text, numbers]")
    return "\n".join(lines) + "\n"


def verdict(folder, *flags):
    """Runs the package on a server of its own and returns what each task showed."""
    server = Server(folder / "data", *flags).start()
    try:
        s3, mwaa, logs = server.client("s3"), server.client("mwaa-serverless"), server.client("logs")
        s3.create_bucket(Bucket="judge")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as z:
            z.writestr("house.py", HEAD + FUNCTIONS + CLASSES)
        s3.put_object(Bucket="judge", Key="code.zip", Body=archive.getvalue())
        s3.put_object(Bucket="judge", Key="judged.yaml", Body=definition().encode())
        arn = mwaa.create_workflow(
            Name="judged-" + uuid.uuid4().hex[:8], RoleArn=ROLE,
            DefinitionS3Location={"Bucket": "judge", "ObjectKey": "judged.yaml"},
            Code={"S3Location": {"Bucket": "judge", "ObjectKey": "code.zip"}},
        )["WorkflowArn"]
        run = mwaa.start_workflow_run(WorkflowArn=arn)["RunId"]
        deadline = time.monotonic() + 3600
        while mwaa.get_workflow_run(WorkflowArn=arn, RunId=run)["RunDetail"]["RunState"] not in FINAL:
            assert time.monotonic() < deadline, "the run does not end"
            time.sleep(0.2)
        shown = {}
        for page in mwaa.get_paginator("list_task_instances").paginate(WorkflowArn=arn, RunId=run):
            for row in page["TaskInstances"]:
                t = mwaa.get_task_instance(WorkflowArn=arn, RunId=run, TaskInstanceId=row["TaskInstanceId"])
                group = "/aws/mwaa-serverless/" + arn.rpartition("/")[2] + "/"
                events = []
                if "LogStream" in t:  # else it never began
                    events = logs.get_log_events(logGroupName=group, logStreamName=t["LogStream"], startFromHead=True)["events"]
                shown[t["TaskId"]] = {
                    "status": t["Status"], "xcom": {k: json.loads(v) for k, v in t.get("Xcom", {}).items()},
                    "error": timeless(t.get("ErrorMessage", "")), "log": [json.loads(e["message"]) for e in events],
                }
        return shown
    finally:
        server.stop()


def timeless(text):
    """Drops what is different each time: how long a sensor waited, and addresses."""
    before, cut, _ = text.partition("; run duration of ")
    return re.sub(r" at 0x[0-9a-f]+", "", before + cut)


# Loggers whose lines are about the machinery of the one or the other.
MACHINERY = ("py.warnings", "alembic", "airflow.models.xcom", "airflow.plugins", "airflow.sdk.bases.xcom")


def shape(line):
    """What must be the same in a line of the log."""
    errors = [
        (e["exc_type"], timeless(e["exc_value"]), tuple(e["exc_notes"]), e["is_cause"], tuple(sorted(e)),
         tuple(f["name"] for f in e["frames"] if f["filename"].endswith("/house.py")))
        for e in line.get("error_detail", ())
        if isinstance(e, dict) and "exc_notes" in e
    ]
    return line["level"], timeless(line["event"]), line.get("logger"), timeless(line.get("reason") or ""), line.get("exit_code"), tuple(errors)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return verdict(tmp_path_factory.mktemp("standin")), verdict(tmp_path_factory.mktemp("airflow"), "--python", AIRFLOW)


@pytest.mark.parametrize("task", dict.fromkeys([*NAMES, *TASKS]))
def test_the_same(verdicts, task):
    ours, theirs = verdicts[0][task], verdicts[1][task]
    assert {k: ours[k] for k in ("status", "xcom", "error")} == {k: theirs[k] for k in ("status", "xcom", "error")}
    lines = [shape(line) for line in theirs["log"]]
    for line in ours["log"]:
        assert shape(line) in lines, textwrap.indent("\n".join(map(str, lines)), "  ")
