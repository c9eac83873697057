"""What a task may know of the run around it, under Airflow's names."""

import json
import logging
import types
from datetime import datetime, timedelta

from fairlead_values import to_json


class Context(dict):
    """The context of a task: a dict by name."""


_current = None


def current():
    """Returns the context of the task under way."""
    if _current is None:
        raise RuntimeError(
            "Current context was requested but no context was found! "
            "Are you running within an Airflow task?"
        )
    return _current


class TaskInstance:
    """One attempt of a task."""

    def __init__(self, task, xcoms, max_xcom):
        self.dag_id = task["dag_id"]
        self.run_id = task["run_id"]
        self.task_id = task["task_id"]
        self.try_number = task["try_number"]
        self.max_tries = task["max_tries"]
        self.start_date = _moment(task.get("start_date"))
        self.operator = task["operator"].rpartition(".")[2]
        self.map_index = -1
        self.state = "running"
        self.hostname = "localhost"
        self.log = logging.getLogger("airflow.task")
        self.pushed = {}
        self._xcoms = xcoms
        self._max = max_xcom

    def xcom_push(self, key, value, **_):
        """Publishes a value for later tasks."""
        if not isinstance(key, str) or not key:
            raise ValueError(f"XCom key must be a non-empty string. Received: {key!r}")
        if len(key) > 512:
            raise ValueError("XCom key has more than 512 characters")
        value = to_json(value)
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
        if size > self._max:
            raise ValueError(
                f"the XCom value {key!r} has {size} bytes; the limit is {self._max}: "
                "keep large data in S3 and publish its key"
            )
        self.pushed[key] = value

    def xcom_pull(self, task_ids=None, dag_id=None, key="return_value",
                  include_prior_dates=False, *, map_indexes=None, default=None, run_id=None, **_):
        """Returns what a task published; a list for a list of tasks."""
        if (dag_id or self.dag_id) != self.dag_id or (run_id or self.run_id) != self.run_id:
            raise NotImplementedError("xcom_pull from another workflow or run is not supported")
        if task_ids is None:
            task_ids = self.task_id
        if isinstance(task_ids, str):
            return self._pull(task_ids, key, default)
        return [self._pull(t, key, default) for t in task_ids]

    def _pull(self, task, key, default):
        if task == self.task_id and key in self.pushed:
            return self.pushed[key]
        return self._xcoms.get(task, {}).get(key, default)

    @property
    def key(self):
        return (self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index)

    def __repr__(self):
        return f"<TaskInstance: {self.dag_id}.{self.task_id} {self.run_id} [running]>"


def make_context(request):
    """Builds the context of the request and makes it the current one."""
    global _current
    task = request["task"]
    params = task.get("params") or {}
    logical = _moment(task["logical_date"])
    ti = TaskInstance(task, request.get("xcoms") or {}, request["max_xcom"])
    dag_run = types.SimpleNamespace(
        dag_id=ti.dag_id, run_id=ti.run_id, conf=task.get("conf") or {}, logical_date=logical,
        run_after=logical, start_date=ti.start_date, data_interval_start=logical,
        data_interval_end=logical,
    )
    dag = types.SimpleNamespace(dag_id=ti.dag_id, params=params)
    ds = logical.strftime("%Y-%m-%d")
    ts_nodash = logical.strftime("%Y%m%dT%H%M%S")
    _current = Context(
        dag=dag, dag_run=dag_run, run_id=ti.run_id, params=params, ti=ti, task_instance=ti,
        task=types.SimpleNamespace(task_id=ti.task_id, dag_id=ti.dag_id, dag=dag, params=params,
                                   retries=ti.max_tries, log=ti.log),
        task_instance_key_str=f"{ti.dag_id}__{ti.task_id}__{ds.replace('-', '')}",
        ds=ds, ds_nodash=ds.replace("-", ""), ts=logical.isoformat(), ts_nodash=ts_nodash,
        ts_nodash_with_tz=ts_nodash + logical.strftime("%z"), logical_date=logical,
        data_interval_start=logical, data_interval_end=logical, macros=_macros(),
        conn=None, var=None, inlets=[], outlets=[], test_mode=False,
    )
    return _current


def _moment(text):
    return datetime.fromisoformat(text) if text else None


def _macros():
    import random
    import time
    import uuid

    def ds_add(ds, days):
        return (datetime.strptime(str(ds), "%Y-%m-%d") + timedelta(days=days)).strftime("%Y-%m-%d")

    def ds_format(ds, input_format, output_format):
        return datetime.strptime(str(ds), input_format).strftime(output_format)

    return types.SimpleNamespace(
        datetime=datetime, timedelta=timedelta, time=time, uuid=uuid, random=random.random,
        ds_add=ds_add, ds_format=ds_format, json=json,
    )
