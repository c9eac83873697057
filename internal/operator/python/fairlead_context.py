"""What a task may know of the run around it, under Airflow's names."""

import sys

from fairlead_json import dumps, to_json

Namespace = type(sys.implementation)  # types.SimpleNamespace, without its module


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
    return _current.full()


def maker():
    """Returns what makes the context of the task under way, or None."""
    return _current


def begin(request):
    """Makes the request's context the current one and returns its maker."""
    global _current
    _current = Maker(request)
    return _current


class Maker:
    """Makes the values of a context when they are asked for: most tasks want
    few of them, and some cost an import."""

    def __init__(self, request):
        self.request = request
        self.task = request["task"]
        self.ti = TaskInstance(self, request)
        self.operator = None  # the task's object, if it has one
        self.params = self.task.get("params") or {}
        self.templates_dict = request.get("templates_dict")
        self._made = {}
        self._full = None

    def value(self, name):
        """Returns one value of the context, or raises KeyError."""
        if self._full is not None:
            return self._full[name]
        if name not in self._made:
            self._made[name] = NAMES[name](self)
        return self._made[name]

    def full(self):
        """Returns the whole context, always the same object."""
        if self._full is None:
            made = Context((name, self.value(name)) for name in NAMES)
            if not self.request.get("custom"):
                made["templates_dict"] = self.templates_dict
            self._full = made
        return self._full

    def logical(self):
        return moment(self.task["logical_date"])

    def ds(self):
        return self.task["logical_date"][:10]

    def ts_nodash(self):
        return self.task["logical_date"][:19].replace("-", "").replace(":", "")

    def ts_with_zone(self):
        return self.task["logical_date"].replace("-", "").replace(":", "")

    def node(self):
        if self.operator is not None:
            return self.operator
        return Namespace(
            task_id=self.ti.task_id, dag_id=self.ti.dag_id, dag=self.value("dag"), params=self.params,
            retries=self.task.get("retries", 0), log=self.ti.log,
            operator_class=self.ti.operator, task_type=self.ti.operator,
        )

    def dag_run(self):
        return Namespace(
            dag_id=self.ti.dag_id, run_id=self.ti.run_id, conf=self.task.get("conf") or {},
            logical_date=self.value("logical_date"), run_after=self.value("logical_date"),
            data_interval_start=self.value("logical_date"), data_interval_end=self.value("logical_date"),
            start_date=self.ti.start_date, end_date=None, clear_number=0, run_type="manual",
            state="running", consumed_asset_events=[],
        )


# Every name of the context, in the order of Airflow's own, and how it is made.
NAMES = {
    "dag": lambda m: Namespace(dag_id=m.ti.dag_id, params=m.params, default_args={}, tags=set(), timezone=None),
    "inlets": lambda m: [],
    "map_index_template": lambda m: None,
    "outlets": lambda m: [],
    "run_id": lambda m: m.ti.run_id,
    "task": Maker.node,
    "task_instance": lambda m: m.ti,
    "ti": lambda m: m.ti,
    "outlet_events": lambda m: {},
    "inlet_events": lambda m: {},
    "macros": lambda m: Macros(),
    "params": lambda m: m.params,
    "var": lambda m: {"json": Variables(True), "value": Variables(False)},
    "conn": lambda m: Connections(),
    "dag_run": Maker.dag_run,
    "triggering_asset_events": lambda m: {},
    "task_instance_key_str": lambda m: f"{m.ti.dag_id}__{m.ti.task_id}__{m.ds().replace('-', '')}",
    "task_reschedule_count": lambda m: m.task.get("pokes", 0),
    "prev_start_date_success": lambda m: None,
    "prev_end_date_success": lambda m: None,
    "logical_date": Maker.logical,
    "ds": Maker.ds,
    "ds_nodash": lambda m: m.ds().replace("-", ""),
    "ts": lambda m: m.task["logical_date"],
    "ts_nodash": Maker.ts_nodash,
    "ts_nodash_with_tz": Maker.ts_with_zone,
    "data_interval_end": lambda m: m.value("logical_date"),
    "data_interval_start": lambda m: m.value("logical_date"),
    "prev_data_interval_start_success": lambda m: None,
    "prev_data_interval_end_success": lambda m: None,
}


class TaskInstance:
    """One attempt of a task."""

    def __init__(self, maker, request):
        task = request["task"]
        self.dag_id = task["dag_id"]
        self.run_id = task["run_id"]
        self.task_id = task["task_id"]
        self.try_number = task["try_number"]
        self.max_tries = task["max_tries"]
        self.operator = task["operator"].rpartition(".")[2]
        self.map_index = -1
        self.is_mapped = False
        self.state = "running"
        self.hostname = "localhost"
        self.end_date = None
        self.pushed = {}  # the text of each value by its key
        self._maker = maker
        self._xcoms = request.get("xcoms") or {}
        self._max = request["max_xcom"]

    @property
    def task(self):
        return self._maker.value("task")

    @property
    def start_date(self):
        return moment(self._maker.task.get("start_date"))

    @property
    def log(self):
        import logging

        return logging.getLogger("airflow.task")

    @property
    def key(self):
        return (self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index)

    def get_template_context(self):
        return self._maker.full()

    def get_first_reschedule_date(self, context):
        """Returns when a task that rested began to be asked, else None."""
        return moment(self._maker.task.get("first")) if self._maker.task.get("pokes") else None

    def get_previous_dagrun(self, state=None):
        return None

    def xcom_push(self, key, value, **_):
        """Publishes a value for later tasks."""
        if not isinstance(key, str) or not key:
            raise ValueError(f"XCom key must be a non-empty string. Received: {key!r}")
        if len(key) > 512:
            raise ValueError("XCom key has more than 512 characters")
        value = to_json(value)
        text = dumps(value)
        size = len(text.encode("utf-8", "replace"))
        if size > self._max:
            raise ValueError(
                f"the XCom value {key!r} has {size} bytes; the limit is {self._max}: "
                "keep large data in S3 and publish its key"
            )
        self.pushed[key] = (value, text)

    def xcom_pull(self, task_ids=None, dag_id=None, key="return_value",
                  include_prior_dates=False, *, map_indexes=None, default=None, run_id=None, **_):
        """Returns what a task published; a list for a list of tasks. A run has
        no mapped tasks and sees no other run, so what asks for those finds
        what this run has."""
        if (dag_id or self.dag_id) != self.dag_id or (run_id or self.run_id) != self.run_id:
            raise NotImplementedError("xcom_pull from another workflow or run is not supported")
        if task_ids is None:
            task_ids = self.task_id
        if isinstance(task_ids, str):
            return self._pull(task_ids, key, default)
        return [self._pull(t, key, default) for t in task_ids]

    def _pull(self, task, key, default):
        if task == self.task_id and key in self.pushed:
            return self.pushed[key][0]
        return self._xcoms.get(task, {}).get(key, default)

    def __repr__(self):
        return f"<TaskInstance: {self.dag_id}.{self.task_id} {self.run_id} [{self.state}]>"


def moment(text):
    """Reads a moment as it stands in the request."""
    if not text:
        return None
    from datetime import datetime

    return datetime.fromisoformat(text)


class Variables:
    """Variables as attributes and by get."""

    def __init__(self, parse):
        self._parse = parse

    def __getattr__(self, key):
        from airflow.models import Variable

        return Variable.get(key, deserialize_json=self._parse)

    def get(self, key, default=None):
        from airflow.models import Variable

        return Variable.get(key, default, deserialize_json=self._parse)


class Connections:
    """Connections as attributes and by get."""

    def __getattr__(self, conn_id):
        from airflow.models import Connection

        return Connection.get(conn_id)

    def get(self, conn_id, default_conn=None):
        from airflow.exceptions import AirflowNotFoundException

        try:
            return getattr(self, conn_id)
        except AirflowNotFoundException:
            return default_conn


class Macros:
    """What templates know as macros; each is imported when it is used."""

    def __getattr__(self, name):
        if name in ("datetime", "timedelta"):
            import datetime

            return getattr(datetime, name)
        if name == "random":
            import random

            return random.random
        if name in ("json", "time", "uuid", "dateutil"):
            import importlib

            return importlib.import_module(name)
        raise AttributeError(f"macros has no {name}")

    @staticmethod
    def ds_add(ds, days):
        from datetime import datetime, timedelta

        if not days:
            return str(ds)
        return (datetime.strptime(str(ds), "%Y-%m-%d") + timedelta(days=days)).strftime("%Y-%m-%d")

    @staticmethod
    def ds_format(ds, input_format, output_format):
        from datetime import datetime

        return datetime.strptime(str(ds), input_format).strftime(output_format)
