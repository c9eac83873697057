"""Names of what modules hold."""

import importlib


def import_string(dotted_path):
    """Returns what a dotted path names."""
    module, _, name = dotted_path.rpartition(".")
    if not module:
        raise ImportError(f"{dotted_path} doesn't look like a module path")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError:
        raise ImportError(f'Module "{module}" does not define a "{name}" attribute/class') from None


def qualname(o):
    """Returns the dotted path of a class or function, or of an object's class."""
    if not callable(o) or not hasattr(o, "__qualname__"):
        o = type(o)
    return f"{o.__module__}.{o.__qualname__}"
