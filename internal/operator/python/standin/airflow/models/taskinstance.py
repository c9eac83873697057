from airflow.models import TaskInstance  # noqa: F401
