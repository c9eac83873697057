"""Variables and connections from the environment, where the service has no
store of them either."""

import json
import os
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow.exceptions import AirflowNotFoundException
from fairlead_context import TaskInstance

_required = object()


class Variable:
    """A variable: the environment's AIRFLOW_VAR_NAME."""

    @classmethod
    def get(cls, key, default_var=_required, deserialize_json=False, default=_required):
        value = os.environ.get("AIRFLOW_VAR_" + key.upper())
        if value is None:
            for fallback in (default, default_var):
                if fallback is not _required:
                    return fallback
            raise KeyError(f"Variable {key} does not exist")
        return json.loads(value) if deserialize_json else value


class Connection:
    """A connection: the environment's AIRFLOW_CONN_ID, a URI or JSON."""

    def __init__(self, conn_id=None, conn_type=None, host=None, login=None, password=None,
                 schema=None, port=None, extra=None):
        self.conn_id, self.conn_type, self.host, self.login = conn_id, conn_type, host, login
        self.password, self.schema, self.port = password, schema, port
        self.extra = json.dumps(extra) if isinstance(extra, dict) else extra

    @property
    def extra_dejson(self):
        return json.loads(self.extra) if self.extra else {}

    @classmethod
    def get(cls, conn_id):
        text = os.environ.get("AIRFLOW_CONN_" + conn_id.upper())
        if text is None:
            raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")
        if text.lstrip().startswith("{"):
            names = ("conn_type", "host", "login", "password", "schema", "port", "extra")
            given = json.loads(text)
            return cls(conn_id, **{n: given[n] for n in names if n in given})
        u = urlsplit(text)
        part = lambda s: unquote(s) if s else s  # noqa: E731
        extra = dict(parse_qsl(u.query)) or None
        return cls(conn_id, u.scheme.replace("-", "_"), part(u.hostname), part(u.username),
                   part(u.password), part(u.path.lstrip("/")), u.port, extra)

    get_connection_from_secrets = get


__all__ = ["Connection", "TaskInstance", "Variable"]
