"""A small stand-in for Airflow: what the functions of a PythonOperator
commonly import. It is not Airflow and has no scheduler, operators or DAGs."""

__version__ = "3.0.6"
