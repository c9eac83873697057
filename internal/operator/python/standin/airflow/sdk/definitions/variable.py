from airflow.models import Variable  # noqa: F401
