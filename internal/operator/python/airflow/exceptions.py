"""Exceptions by which a task says how it ended."""


class AirflowException(Exception):
    """Base class of the exceptions here; the task fails and may be retried."""

    status_code = 500


class AirflowBadRequest(AirflowException):
    status_code = 400


class AirflowNotFoundException(AirflowException):
    status_code = 404


class AirflowConfigException(AirflowException):
    """The configuration is wrong."""


class AirflowFailException(AirflowException):
    """The task fails and is not retried."""


class AirflowSkipException(AirflowException):
    """The task is skipped."""


class AirflowSensorTimeout(AirflowException):
    """A wait took too long."""


class AirflowTaskTimeout(BaseException):
    """The task ran past its time."""


class AirflowOptionalProviderFeatureException(AirflowException):
    """A feature needs a package that is not installed."""


class XComNotFound(AirflowException):
    """There is no such XCom value."""
