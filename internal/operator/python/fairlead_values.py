"""Values as JSON, roughly by the rules of Airflow's serializer."""

import dataclasses
import datetime
import decimal
import enum
import math
import uuid

MAX_DEPTH = 100


def to_json(value, depth=0):
    """Returns a value that json.dumps takes, or raises TypeError."""
    if depth > MAX_DEPTH:
        raise RecursionError("the value is nested too deeply to be kept as XCom")
    if isinstance(value, enum.Enum):
        return to_json(value.value, depth + 1)
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"cannot keep the number {value} as XCom: JSON has no word for it")
        return value
    if isinstance(value, dict):
        return {str(k): to_json(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v, depth + 1) for v in value]
    if isinstance(value, (set, frozenset)):
        items = [to_json(v, depth + 1) for v in value]
        return sorted(items, key=lambda v: (str(type(v)), str(v)))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (decimal.Decimal, uuid.UUID, datetime.tzinfo)):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {f.name: to_json(getattr(value, f.name), depth + 1) for f in fields}
    if callable(getattr(value, "model_dump", None)):  # pydantic
        return to_json(value.model_dump(mode="json"), depth + 1)
    if type(value).__module__.partition(".")[0] == "numpy" and callable(getattr(value, "tolist", None)):
        return to_json(value.tolist(), depth + 1)
    raise TypeError(f"cannot serialize object of type {type(value)}")
