from airflow.sdk.bases.operator import BaseOperator  # noqa: F401
