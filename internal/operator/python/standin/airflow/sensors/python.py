from airflow.providers.standard.sensors.python import PythonSensor  # noqa: F401
