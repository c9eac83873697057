"""JSON without the json module, whose import takes longer than a small task:
the same C functions are used directly."""

try:
    from _json import encode_basestring as quote
    from _json import make_scanner
except ImportError:  # not CPython
    quote = make_scanner = None


class _Options:
    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


def loads(text):
    """Reads a JSON text that begins without white space and is known to be good."""
    if make_scanner is None:
        import json

        return json.loads(text)
    return make_scanner(_Options)(text, 0)[0]


def dumps(value):
    """Writes what to_json returned, compactly."""
    if quote is None:
        import json

        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    out = []
    _write(value, out.append)
    return "".join(out)


def _write(value, put):
    if isinstance(value, str):
        put(quote(value))
    elif value is None:
        put("null")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif isinstance(value, int):
        put(int.__repr__(value))
    elif isinstance(value, float):
        put(float.__repr__(value))
    elif isinstance(value, dict):
        comma = "{"
        for k, v in value.items():
            put(comma)
            put(quote(k))
            put(":")
            _write(v, put)
            comma = ","
        put("}" if comma == "," else "{}")
    else:
        comma = "["
        for v in value:
            put(comma)
            _write(v, put)
            comma = ","
        put("]" if comma == "," else "[]")


MAX_DEPTH = 100


def to_json(value, depth=0):
    """Returns a value that dumps takes, or raises what Airflow raises.

    What Airflow's serializer takes is taken, and nothing else; but values are
    kept as plain JSON that every reader of an XCom understands, where Airflow
    keeps the class beside them.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is int:
        return value
    if depth > MAX_DEPTH:
        raise RecursionError("maximum recursion depth reached for serialization")
    if isinstance(value, (bool, str, int, float)):
        if hasattr(value, "_value_") and hasattr(kind, "__members__"):  # an enum of such values
            return to_json(value.value, depth + 1)
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            raise ValueError(f"cannot keep the number {value} as XCom: JSON has no word for it")
        return value
    if isinstance(value, dict):
        if "__classname__" in value or "__id__" in value:
            raise AttributeError("reserved key __classname__ or __id__ found in dict to serialize")
        return {str(k): to_json(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v, depth + 1) for v in value]
    if isinstance(value, (set, frozenset)):
        items = [to_json(v, depth + 1) for v in value]
        return sorted(items, key=lambda v: (str(type(v)), str(v)))
    return _object(value, kind, depth)


def _object(value, kind, depth):
    import datetime

    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.tzinfo):
        return str(value)
    if kind.__module__ == "decimal" and kind.__name__ == "Decimal":
        # Airflow keeps the number and not its digits.
        return str(int(value) if value.as_tuple().exponent >= 0 else float(value))
    if kind.__module__.partition(".")[0] == "numpy" and callable(getattr(value, "tolist", None)):
        return to_json(value.tolist(), depth + 1)
    if callable(getattr(value, "serialize", None)):
        return to_json(value.serialize(), depth + 1)
    if hasattr(kind, "__dataclass_fields__"):
        import dataclasses

        return to_json(dataclasses.asdict(value), depth + 1)
    if hasattr(kind, "__attrs_attrs__"):
        fields = [a.name for a in kind.__attrs_attrs__ if a.init]
        return {n: to_json(getattr(value, n), depth + 1) for n in fields}
    raise TypeError(f"cannot serialize object of type {kind}")
