"""The base class of operators."""

import inspect
import logging
from datetime import timedelta

import fairlead_context

# What every operator takes, and the default. Only those that say how the
# task's own code behaves act here; the rest belong to the scheduler.
DEFAULTS = {
    "owner": "airflow", "email": None, "email_on_retry": True, "email_on_failure": True, "retries": None,
    "retry_delay": None, "retry_exponential_backoff": False, "max_retry_delay": None, "start_date": None,
    "end_date": None, "depends_on_past": False, "ignore_first_depends_on_past": True,
    "wait_for_past_depends_before_skipping": False, "wait_for_downstream": False, "params": None,
    "default_args": None, "priority_weight": 1, "weight_rule": "downstream", "queue": "default", "pool": "default_pool",
    "pool_slots": 1, "sla": None, "execution_timeout": None, "on_execute_callback": None,
    "on_failure_callback": None, "on_success_callback": None, "on_retry_callback": None,
    "on_skipped_callback": None, "pre_execute": None, "post_execute": None, "trigger_rule": None,
    "resources": None, "run_as_user": None, "map_index_template": None, "max_active_tis_per_dag": None,
    "max_active_tis_per_dagrun": None, "executor": None, "executor_config": None, "do_xcom_push": True,
    "multiple_outputs": False, "inlets": None, "outlets": None, "task_group": None, "doc": None,
    "doc_md": None, "doc_json": None, "doc_yaml": None, "doc_rst": None, "task_display_name": None,
    "logger_name": None, "allow_nested_operators": True, "dag": None,
}


class BaseOperatorMeta(type):
    """Checks the arguments of a constructor as Airflow does."""

    def __call__(cls, *args, **kwargs):
        if args:
            raise TypeError("Use keyword arguments when initializing operators")
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        default_args = kwargs.get("default_args") or {}
        for p in named:
            if p.name not in kwargs and p.name in default_args:
                kwargs[p.name] = default_args[p.name]
        missing = sorted(p.name for p in named if p.default is p.empty and p.name not in kwargs)
        if len(missing) == 1:
            raise TypeError(f"missing keyword argument {missing[0]!r}")
        if missing:
            raise TypeError("missing keyword arguments " + ", ".join(map(repr, missing)))
        return super().__call__(**kwargs)


class BaseOperator(metaclass=BaseOperatorMeta):
    """What operators have in common. A subclass has its own constructor,
    execute and, if it has any, template_fields."""

    template_fields = ()
    template_ext = ()
    template_fields_renderers = {}
    operator_extra_links = ()
    shallow_copy_attrs = ()
    ui_color = "#fff"
    ui_fgcolor = "#000"
    is_setup = is_teardown = is_mapped = False
    deferrable = False
    partial = None

    def __init__(self, *, task_id, **kwargs):
        self.task_id = task_id
        given = {name: kwargs.pop(name, default) for name, default in DEFAULTS.items()}
        if kwargs:
            raise TypeError(
                f"Invalid arguments were passed to {type(self).__name__} (task_id: {task_id}). "
                f"Invalid arguments were:\n**kwargs: {kwargs}"
            )
        maker = fairlead_context.maker()
        task = maker.task if maker else {}
        for name in ("pre_execute", "post_execute"):
            hook = given.pop(name)
            if hook is not None:
                setattr(self, "_" + name + "_hook", hook)
        given.pop("default_args")
        self._dag = given.pop("dag")
        for name in ("retries", "trigger_rule"):
            if given[name] is None:
                given[name] = task.get(name)
        for name in ("retry_delay", "execution_timeout", "max_retry_delay"):
            if given[name] is None:
                given[name] = task.get(name)
            if isinstance(given[name], (int, float)):
                given[name] = timedelta(seconds=given[name])
        if given["params"] is None:
            given["params"] = maker.params if maker else {}
        for name in ("inlets", "outlets"):
            given[name] = given[name] or []
        given["executor_config"] = given["executor_config"] or {}
        logger_name = given.pop("logger_name")
        for name, value in given.items():
            setattr(self, name, value)
        kind = type(self)
        self._log_name = "airflow.task.operators." + (logger_name or f"{kind.__module__}.{kind.__qualname__}")

    @property
    def log(self):
        return logging.getLogger(self._log_name)

    @property
    def dag(self):
        maker = fairlead_context.maker()
        return self._dag or (maker.value("dag") if maker else None)

    @dag.setter
    def dag(self, dag):
        self._dag = dag

    def get_dag(self):
        return self.dag

    def has_dag(self):
        return self.dag is not None

    @property
    def dag_id(self):
        return self.dag.dag_id if self.has_dag() else f"adhoc_{self.owner}"

    @property
    def task_type(self):
        return type(self).__name__

    @property
    def operator_name(self):
        return getattr(self, "custom_operator_name", type(self).__name__)

    @property
    def label(self):
        return self.task_id

    @property
    def node_id(self):
        return self.task_id

    def execute(self, context):
        """Override when deriving from this class."""
        raise NotImplementedError()

    def pre_execute(self, context):
        """Called before execute."""

    def post_execute(self, context, result=None):
        """Called after execute."""

    def on_kill(self):
        """Called when the task is ended from outside."""

    def prepare_template(self):
        """Called when template files have been read."""

    def render_template_fields(self, context, jinja_env=None):
        """Renders the attributes that template_fields names."""
        from fairlead_operator import render_fields

        render_fields(self)

    def render_template(self, content, context=None, jinja_env=None, seen_oids=None):
        """Returns content with its templates rendered."""
        from fairlead_operator import render

        return render(self, content)

    def defer(self, *, trigger=None, method_name="", kwargs=None, timeout=None):
        from airflow.exceptions import TaskDeferred

        raise TaskDeferred(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout)

    # Tasks depend on each other as the definition says; what a module says
    # besides is accepted and means nothing.
    def set_upstream(self, task_or_task_list, **_):
        """Does nothing."""

    def set_downstream(self, task_or_task_list, **_):
        """Does nothing."""

    def __rshift__(self, other):
        return other

    def __lshift__(self, other):
        return other

    def __repr__(self):
        return f"<Task({type(self).__name__}): {self.task_id}>"
