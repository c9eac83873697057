"""The base class of sensors."""

import hashlib
import time
import traceback
from datetime import datetime, timedelta, timezone

from airflow.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow.sdk.bases.operator import BaseOperator


class PokeReturnValue:
    """What a poke found: whether the wait is over, and a value to publish."""

    def __init__(self, is_done, xcom_value=None):
        self.is_done, self.xcom_value = is_done, xcom_value

    def __bool__(self):
        return self.is_done


def _span(name, value):
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (int, float)) and value >= 0:
        return value * 1.0
    raise AirflowException(f"Operator arg `{name}` must be timedelta object or a non-negative number")


class BaseSensorOperator(BaseOperator):
    """An operator that asks, by poke, until the answer is yes or its time is
    up. In mode poke it sleeps between two questions; in mode reschedule the
    process ends after each, and another one asks later."""

    ui_color = "#e6f1f2"
    valid_modes = ["poke", "reschedule"]
    _is_sensor = True

    def __init__(self, *, poke_interval=60, timeout=7 * 24 * 3600, soft_fail=False, mode="poke",
                 exponential_backoff=False, max_wait=None, silent_fail=False, never_fail=False, **kwargs):
        super().__init__(**kwargs)
        self.poke_interval = _span("poke_interval", poke_interval)
        self.timeout = _span("timeout", timeout)
        self.max_wait = None if max_wait is None else timedelta(seconds=_span("max_wait", max_wait))
        self.soft_fail, self.never_fail, self.silent_fail = soft_fail, never_fail, silent_fail
        self.mode, self.exponential_backoff = mode, exponential_backoff
        if soft_fail is True and never_fail is True:
            raise ValueError("soft_fail and never_fail are mutually exclusive, you can not provide both.")
        if self.mode not in self.valid_modes:
            raise AirflowException(
                f"The mode must be one of {self.valid_modes},'{self.dag_id} .{self.task_id}'; received '{self.mode}'."
            )

    @property
    def reschedule(self):
        return self.mode == "reschedule"

    def poke(self, context):
        """Override when deriving from this class."""
        raise AirflowException("Override me.")

    def execute(self, context):
        if self.reschedule:
            began = context["ti"].get_first_reschedule_date(context) or datetime.now(timezone.utc)

            def elapsed():
                return (datetime.now(timezone.utc) - began).total_seconds()
        else:
            began = time.monotonic()

            def elapsed():
                return time.monotonic() - began

        count = 1
        while True:
            answer = self._ask(context)
            if answer:
                break
            if elapsed() > self.timeout:
                message = (f"Sensor has timed out; run duration of {elapsed()} seconds exceeds "
                           f"the specified timeout of {self.timeout}.")
                raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)
            pause = self._get_next_poke_interval(began, elapsed, count)
            if self.reschedule:
                raise AirflowRescheduleException(datetime.now(timezone.utc) + timedelta(seconds=pause))
            time.sleep(pause)
            count += 1
        self.log.info("Success criteria met. Exiting.")
        return answer.xcom_value if isinstance(answer, PokeReturnValue) else None

    def _ask(self, context):
        try:
            return self.poke(context)
        except AirflowSkipException:
            raise
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException) as e:
            if self.soft_fail:
                raise AirflowSkipException("Skipping due to soft_fail is set to True.") from e
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from e
            raise
        except Exception as e:
            if self.silent_fail:
                self.log.error("Sensor poke failed: \n %s", traceback.format_exc())
                return False
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from e
            raise

    def _get_next_poke_interval(self, started_at, run_duration, poke_count):
        if not self.exponential_backoff:
            return self.poke_interval

        def grown(n):
            base = max(int(self.poke_interval * 2 ** (n - 2)), 1)
            name = f"{self.dag_id}#{self.task_id}#{started_at}#{n}".encode()
            return base + int(hashlib.sha1(name, usedforsecurity=False).hexdigest(), 16) % base

        if self.reschedule:
            # Each process asks once: how often it was asked follows from how
            # long it has waited.
            poke_count = waited = 0
            while waited <= run_duration():
                poke_count += 1
                waited += grown(poke_count)
        pause = min(self.timeout - int(run_duration()), grown(poke_count))
        if self.max_wait:
            pause = min(self.max_wait.total_seconds(), pause)
        self.log.info("new %s interval is %s", self.mode, pause)
        return max(pause, 0)


def poke_mode_only(cls):
    """Makes a sensor refuse every mode but poke."""

    def refuse(self, value):
        if value != "poke":
            raise ValueError(f"Cannot set mode to '{value}'. Only 'poke' is acceptable")

    cls.mode = property(lambda self: "poke", refuse)
    return cls
