from airflow.models import Connection


class BaseHook:
    """What hooks have in common: finding their connection."""

    @classmethod
    def get_connection(cls, conn_id):
        return Connection.get(conn_id)
