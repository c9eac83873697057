"""A small stand-in for Airflow: what the functions and operators of a code
package commonly import. It has no scheduler, database or DAGs."""

__version__ = "3.0.6"


def __getattr__(name):
    if name == "DAG":
        raise ImportError("airflow.DAG is not in the stand-in for Airflow: a workflow's tasks come from its definition")
    raise AttributeError(f"module 'airflow' has no attribute {name!r}")
