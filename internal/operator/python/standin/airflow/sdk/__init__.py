"""The part of Airflow's task SDK that a running function can use."""

from airflow.models import Connection, Variable
from fairlead_context import Context, TaskInstance
from fairlead_context import current as get_current_context

__all__ = ["Connection", "Context", "TaskInstance", "Variable", "get_current_context"]
