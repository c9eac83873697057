from airflow.models import Connection  # noqa: F401
