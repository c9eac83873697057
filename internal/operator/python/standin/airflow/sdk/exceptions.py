from airflow.exceptions import *  # noqa: F403


class AirflowRuntimeError(Exception):
    """What Airflow's server would answer with an error."""
