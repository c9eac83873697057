from airflow.sdk.bases.sensor import BaseSensorOperator, PokeReturnValue, poke_mode_only  # noqa: F401
