"""The base class of hooks."""

from airflow.models import Connection
from airflow.utils.log.logging_mixin import LoggingMixin


class BaseHook(LoggingMixin):
    """What hooks have in common: finding their connection."""

    def __init__(self, logger_name=None):
        super().__init__()

    @classmethod
    def get_connection(cls, conn_id):
        return Connection.get(conn_id)

    @classmethod
    def get_hook(cls, conn_id, hook_params=None):
        raise NotImplementedError("the stand-in for Airflow has no hooks to choose from: make the hook by its class")

    def get_conn(self):
        """Override when deriving from this class."""
        raise NotImplementedError()
