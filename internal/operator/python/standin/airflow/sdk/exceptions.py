from airflow.exceptions import *  # noqa: F403
