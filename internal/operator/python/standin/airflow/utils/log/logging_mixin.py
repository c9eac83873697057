"""Loggers for classes."""

import logging


class LoggingMixin:
    """Gives a class a logger of its own name."""

    def __init__(self, context=None):
        super().__init__()

    @property
    def log(self):
        kind = type(self)
        return logging.getLogger(f"airflow.task.hooks.{kind.__module__}.{kind.__qualname__}")

    @property
    def logger(self):
        return self.log
