"""The run of a task by the Airflow that the interpreter has.

Airflow's own task runner makes the context, renders templates and executes
the operator. It talks to a supervisor, whose part is played here: XComs come
from the request and go into the report.
"""

import io
import json
import logging
import os
import sys
import uuid
from datetime import datetime, timedelta, timezone

from fairlead_context import moment
from fairlead_json import to_json
from fairlead_operator import plain
from fairlead_task import describe, find, find_callable, write_all


def carry_out(attempt):
    """Carries out the task and returns the report, less what it published."""
    log = attempt.log
    attempt.fatal = True
    try:
        runner, operator = prepare(attempt)
    except BaseException as e:
        return {**describe(e, log), "fatal": True}
    skipped = []
    execute = runner._execute_task

    def watched(*args, **kwargs):
        try:
            return execute(*args, **kwargs)
        except BaseException as e:
            if type(e).__name__ == "AirflowSkipException":
                skipped.append(str(e))
            raise

    runner._execute_task = watched
    try:
        ti = instance(attempt, runner, operator)
        state, message, error = runner.run(ti, ti.get_template_context(), runner.structlog.get_logger(logger_name="task"))
    except BaseException as e:  # such as params that do not satisfy their schema
        return describe(e, log)
    state = str(getattr(state, "value", state))
    if state == "success":
        return {}
    if state == "skipped":
        return {"skip": True, "error": "".join(skipped) or "the task raised AirflowSkipException"}
    if state == "up_for_reschedule":
        return {"rest": message.reschedule_date.timestamp()}
    if state == "deferred":
        return {"fatal": True, "error": "TaskDeferred: deferrable operators need a triggerer, which the service has not: "
                "set deferrable to false"}
    if error is None:
        return {"error": "the task ended as " + state}
    return describe(error, Silent)


class Silent:
    """A log that says nothing: Airflow has said it."""

    @staticmethod
    def write(*_, **__):
        """Says nothing."""


def prepare(attempt):
    """Imports Airflow, makes the operator, and returns Airflow's runner and it."""
    # Airflow keeps files in its home, and a task's place to write is its own.
    home = os.environ.get("AIRFLOW_HOME")
    os.environ["AIRFLOW_HOME"] = os.path.join(os.environ.get("HOME") or "/tmp", ".airflow")
    # It has no database here, and nobody wants its examples.
    os.environ.setdefault("_AIRFLOW__AS_LIBRARY", "1")
    os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    from airflow import settings
    from airflow.sdk import DAG
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.log import configure_logging

    if home is not None:
        os.environ["AIRFLOW_HOME"] = home
    settings.configure_vars()
    settings.configure_policy_plugin_manager()
    settings.configure_logging()  # has the masker of secrets
    logging.getLogger("alembic").setLevel(logging.WARNING)
    configure_logging(enable_pretty_log=False, output=Output(attempt.log), sending_to_supervisor=True)
    task_runner.SUPERVISOR_COMMS = Supervisor(attempt)

    request = attempt.request
    task = request["task"]
    folder = request.get("dags")
    dag = DAG(task["dag_id"], schedule=None, params=task.get("params") or {}, template_searchpath=[folder] if folder else None)
    kind = find(task["operator"])
    if request.get("custom"):
        args = {name: plain(value) for name, value in (request.get("args") or {}).items()}
    else:
        args = {
            "python_callable": find_callable(request), "op_args": request.get("op_args"), "op_kwargs": request.get("op_kwargs"),
            "templates_dict": request.get("templates_dict"), "show_return_value_in_logs": bool(request.get("show_result")),
        }
    operator = kind(
        task_id=task["task_id"], dag=dag, retries=task.get("retries", 0),
        retry_delay=timedelta(seconds=task.get("retry_delay", 300)), **args,
    )
    if request.get("rendered"):
        operator.template_fields = ()  # a second time would render what came out of the first
    stop = operator.on_kill

    def on_kill():
        stop()
        sys.stdout.flush()
        os._exit(143)

    operator.on_kill = on_kill
    return task_runner, operator


class Output(io.RawIOBase):
    """Takes the lines of Airflow's log, and does to them what Airflow's
    supervisor does."""

    mode, name = "wb", "log"

    def __init__(self, log):
        super().__init__()
        self.log = log

    def writable(self):
        return True

    def write(self, data):
        for text in bytes(data).splitlines():
            line = json.loads(text)
            if "exception" in line:
                line["error_detail"] = line.pop("exception")
                for error in line["error_detail"]:
                    error["frames"] = [f for f in error.get("frames", ()) if not f["filename"].endswith("/fairlead_airflow.py")]
                text = json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
            write_all(self.log.fd, text + b"\n")
        return len(data)


def instance(attempt, runner, operator):
    """Returns the task instance that Airflow would make of its server's answer."""
    from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext

    task = attempt.request["task"]
    logical = moment(task["logical_date"])
    started = moment(task.get("start_date")) or datetime.now(timezone.utc)
    run = DagRun(
        dag_id=task["dag_id"], run_id=task["run_id"], logical_date=logical, data_interval_start=logical, data_interval_end=logical,
        run_after=logical, start_date=logical, run_type="manual", state="running", conf=task.get("conf") or {},
        consumed_asset_events=[],
    )
    context = TIRunContext(
        dag_run=run, task_reschedule_count=task.get("pokes", 0), max_tries=task["max_tries"], should_retry=True,
    )
    ti = runner.RuntimeTaskInstance.model_construct(
        id=uuid.uuid5(uuid.NAMESPACE_OID, f"{task['run_id']}/{task['task_id']}/{task['try_number']}"),
        task_id=task["task_id"], dag_id=task["dag_id"], run_id=task["run_id"], try_number=task["try_number"],
        map_index=-1, task=operator, bundle_instance=None, _ti_context_from_server=context,
        max_tries=task["max_tries"], start_date=started, state="running",
    )
    ti.log_url = ""
    return ti


def unwrapped(value):
    """Returns what Airflow serialized in the plain form that is kept here."""
    if isinstance(value, list):
        return [unwrapped(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "__classname__" not in value:
        return {k: unwrapped(v) for k, v in value.items()}
    from airflow.serialization.serde import deserialize

    try:
        return to_json(deserialize(value))
    except Exception:  # a class that may not be made again, such as a dataclass
        return unwrapped(value.get("__data__"))


class Supervisor:
    """Answers what a task asks of the process above it."""

    def __init__(self, attempt):
        self.attempt = attempt
        from airflow.sdk.execution_time import comms

        self.comms = comms

    def send(self, msg=None, **_):
        answer = getattr(self, type(msg).__name__, None)
        return answer(msg) if answer else None

    def value(self, msg):
        ti = self.attempt.ti
        if msg.task_id == ti.task_id and msg.key in ti.pushed:
            return ti.pushed[msg.key][0]
        return (self.attempt.request.get("xcoms") or {}).get(msg.task_id, {}).get(msg.key)

    def missing(self, kind, name):
        return self.comms.ErrorResponse(error=getattr(self.comms.ErrorType, kind), detail={"name": name})

    def SetXCom(self, msg):
        self.attempt.ti.xcom_push(msg.key, unwrapped(msg.value))

    def DeleteXCom(self, msg):
        self.attempt.ti.pushed.pop(msg.key, None)

    def GetXCom(self, msg):
        return self.comms.XComResult(key=msg.key, value=self.value(msg))

    def GetXComSequenceSlice(self, msg):
        value = self.value(msg)
        return self.comms.XComSequenceSliceResult(root=[] if value is None else [value])

    def GetXComSequenceItem(self, msg):
        value = self.value(msg)
        return self.missing("XCOM_NOT_FOUND", msg.key) if value is None else self.comms.XComResult(key=msg.key, value=value)

    def GetXComCount(self, msg):
        return self.comms.XComCountResponse(len=0 if self.value(msg) is None else 1)

    def GetVariable(self, msg):
        text = os.environ.get("AIRFLOW_VAR_" + msg.key.upper())
        if text is None:
            return self.comms.ErrorResponse(error=self.comms.ErrorType.VARIABLE_NOT_FOUND, detail={"key": msg.key})
        return self.comms.VariableResult(key=msg.key, value=text)

    def GetConnection(self, msg):
        text = os.environ.get("AIRFLOW_CONN_" + msg.conn_id.upper())
        if text is None:
            return self.comms.ErrorResponse(error=self.comms.ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": msg.conn_id})
        # Airflow's own class wants its database.
        import importlib.util

        spec = importlib.util.spec_from_file_location("fairlead_models", os.path.dirname(__file__) + "/standin/airflow/models/__init__.py")
        models = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(models)
        c = models.Connection.of(msg.conn_id, text)
        return self.comms.ConnectionResult(
            conn_id=msg.conn_id, conn_type=c.conn_type, host=c.host, schema=c.schema, login=c.login,
            password=c.password, port=c.port, extra=c.extra,
        )

    def PutVariable(self, msg):
        raise NotImplementedError("variables come from the environment or a secrets backend and cannot be set by a task")

    DeleteVariable = PutVariable

    def GetPrevSuccessfulDagRun(self, _):
        return self.comms.PrevSuccessfulDagRunResult()

    def GetPreviousDagRun(self, _):
        return self.comms.PreviousDagRunResult(dag_run=None)

    def GetTaskRescheduleStartDate(self, _):
        return self.comms.TaskRescheduleStartDate(start_date=moment(self.attempt.request["task"].get("first")))

    def ValidateInletsAndOutlets(self, _):
        return self.comms.InactiveAssetsResult(inactive_assets=[])
