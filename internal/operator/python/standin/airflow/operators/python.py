from airflow.providers.standard.operators.python import PythonOperator, get_current_context  # noqa: F401
