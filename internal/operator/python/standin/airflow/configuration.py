"""Settings, from the environment's AIRFLOW__SECTION__KEY alone."""

import os

from airflow.exceptions import AirflowConfigException

_none = object()


class _Configuration:
    def get(self, section, key, fallback=_none, **_):
        value = os.environ.get(f"AIRFLOW__{section.upper()}__{key.upper()}")
        if value is not None:
            return value
        if fallback is _none:
            raise AirflowConfigException(f"section/key [{section.lower()}/{key.lower()}] not found in config")
        return fallback

    def _as(self, kind, section, key, fallback):
        value = self.get(section, key, fallback)
        return kind(value) if isinstance(value, str) else value

    def getint(self, section, key, fallback=_none, **_):
        return self._as(int, section, key, fallback)

    def getfloat(self, section, key, fallback=_none, **_):
        return self._as(float, section, key, fallback)

    def getboolean(self, section, key, fallback=_none, **_):
        return self._as(lambda v: v.strip().lower() in ("t", "true", "1"), section, key, fallback)

    def has_option(self, section, option):
        return f"AIRFLOW__{section.upper()}__{option.upper()}" in os.environ


conf = _Configuration()
