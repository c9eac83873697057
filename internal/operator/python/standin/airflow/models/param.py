from airflow.sdk.definitions.param import Param  # noqa: F401
