"""Variables and connections from the secrets backend and the environment;
other names are imported when they are asked for."""

import json

from airflow.exceptions import AirflowNotFoundException
from fairlead_context import TaskInstance
from fairlead_secrets import look

_required = object()


class Variable:
    """A variable: the secrets backend's, or the environment's AIRFLOW_VAR_NAME."""

    @classmethod
    def get(cls, key, default_var=_required, deserialize_json=False, default=_required):
        value = look("variables", key, "AIRFLOW_VAR_")
        if value is None:
            for fallback in (default, default_var):
                if fallback is not _required:
                    return fallback
            from airflow.sdk.exceptions import AirflowRuntimeError

            raise AirflowRuntimeError(f"VARIABLE_NOT_FOUND: {{'key': {key!r}}}")
        return json.loads(value) if deserialize_json else value

    @classmethod
    def set(cls, key, value, description=None, serialize_json=False):
        raise NotImplementedError("variables come from the environment and cannot be set by a task")


class Connection:
    """A connection: the secrets backend's, or the environment's AIRFLOW_CONN_ID, a URI or JSON."""

    def __init__(self, conn_id=None, conn_type=None, description=None, host=None, login=None, password=None,
                 schema=None, port=None, extra=None, uri=None):
        self.conn_id, self.conn_type, self.description = conn_id, conn_type, description
        self.host, self.login, self.password = host, login, password
        self.schema, self.port = schema, int(port) if port not in (None, "") else None
        self.extra = json.dumps(extra) if isinstance(extra, dict) else extra
        if uri:
            self._read(uri)

    def _read(self, uri):
        from urllib.parse import parse_qsl, unquote, urlsplit

        u = urlsplit(uri)
        kind = u.scheme.replace("-", "_")
        self.conn_type = "postgres" if kind == "postgresql" else kind
        rest = u.netloc + u.path
        # A host may be a URL itself: name://https%3A%2F%2Fhost or name://https://host.
        scheme = ""
        if "://" in rest:
            scheme, _, _ = rest.partition("://")
            u = urlsplit("x://" + uri.split("://", 2)[2])
        part = lambda s: unquote(s) if s else s  # noqa: E731
        netloc = u.netloc.rpartition("@")[2]
        host = unquote(netloc.rpartition(":")[0] if ":" in netloc.rpartition("]")[2] else netloc)
        self.host = (scheme + "://" if scheme else "") + host.strip("[]") or None
        self.login, self.password = part(u.username), part(u.password)
        self.schema, self.port = part(u.path.lstrip("/")) or None, u.port
        query = dict(parse_qsl(u.query, keep_blank_values=True))
        if query:
            self.extra = query["__extra__"] if "__extra__" in query else json.dumps(query)

    @property
    def extra_dejson(self):
        return json.loads(self.extra) if self.extra else {}

    def get_extra_dejson(self, nested=False):
        return self.extra_dejson

    def get_password(self):
        return self.password

    def get_extra(self):
        return self.extra

    def get_uri(self):
        from urllib.parse import quote, urlencode

        uri = (self.conn_type or "").lower().replace("_", "-") + "://"
        if self.login is not None or self.password is not None:
            uri += quote(self.login or "", safe="") + (":" + quote(self.password, safe="") if self.password is not None else "") + "@"
        uri += quote(self.host or "", safe="") + (f":{self.port}" if self.port else "")
        if self.schema:
            uri += "/" + quote(self.schema, safe="")
        if self.extra:
            uri += ("" if self.schema else "/") + "?" + urlencode({"__extra__": self.extra})
        return uri

    @classmethod
    def get(cls, conn_id):
        text = look("connections", conn_id, "AIRFLOW_CONN_")
        if text is None:
            raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")
        return cls.of(conn_id, text)

    @classmethod
    def of(cls, conn_id, text):
        """Reads a connection that is written as JSON or as a URI."""
        if text.lstrip().startswith("{"):
            names = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra", "uri")
            given = json.loads(text)
            return cls(conn_id, **{n: given[n] for n in names if n in given})
        return cls(conn_id, uri=text)

    get_connection_from_secrets = get

    def __repr__(self):
        return self.conn_id or ""


_places = {
    "BaseOperator": "airflow.sdk.bases.operator",
    "BaseSensorOperator": "airflow.sdk.bases.sensor",
    "Param": "airflow.sdk.definitions.param",
}
__all__ = ["Connection", "TaskInstance", "Variable", *_places]


def __getattr__(name):
    if name not in _places:
        raise AttributeError(f"the stand-in for Airflow has no airflow.models.{name}")
    import importlib

    return getattr(importlib.import_module(_places[name]), name)
