"""A small stand-in for Airflow: what the functions and operators of a code
package commonly import. It has no scheduler, database or DAGs."""

__version__ = "3.0.6"


def __getattr__(name):
    if name == "DAG":
        raise ImportError("the stand-in for Airflow has no DAG: tasks come from the workflow's definition")
    raise AttributeError(f"module 'airflow' has no attribute {name!r}")
