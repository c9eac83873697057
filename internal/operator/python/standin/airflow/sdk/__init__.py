"""The part of Airflow's task SDK that a running task can use. A name is
imported when it is asked for."""

__version__ = "1.0.6"

_places = {
    "BaseHook": "airflow.hooks.base",
    "BaseOperator": "airflow.sdk.bases.operator",
    "BaseSensorOperator": "airflow.sdk.bases.sensor",
    "Connection": "airflow.models",
    "Context": "fairlead_context",
    "Param": "airflow.sdk.definitions.param",
    "PokeReturnValue": "airflow.sdk.bases.sensor",
    "Variable": "airflow.models",
}
__all__ = [*_places, "get_current_context", "literal"]


def get_current_context():
    """Returns the context of the task under way."""
    from fairlead_context import current

    return current()


def literal(value):
    """Marks a value that is no template."""
    from fairlead_operator import Literal

    return Literal(value)


def __getattr__(name):
    if name not in _places:
        if name.startswith("_"):
            raise AttributeError(name)
        raise ImportError(
            f"the stand-in for Airflow has no airflow.sdk.{name}; "
            "it has " + ", ".join(sorted(__all__)) + ". With an interpreter that has Airflow, the real one is used"
        )
    import importlib

    value = getattr(importlib.import_module(_places[name]), name)
    globals()[name] = value
    return value
