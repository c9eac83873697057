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
    """A wait took too long; the task fails and is not retried."""


class AirflowRescheduleException(AirflowException):
    """The task rests, and is run again at a moment."""

    def __init__(self, reschedule_date):
        super().__init__()
        self.reschedule_date = reschedule_date


class AirflowTaskTimeout(BaseException):
    """The task ran past its time."""


class AirflowTaskTerminated(BaseException):
    """The task was ended from outside."""


class AirflowInternalRuntimeError(BaseException):
    """Something is wrong with Airflow itself."""


class AirflowOptionalProviderFeatureException(AirflowException):
    """A feature needs a package that is not installed."""


class AirflowTimetableInvalid(AirflowException):
    """A schedule is wrong."""


class XComNotFound(AirflowException):
    """There is no such XCom value."""


class ParamValidationError(AirflowException):
    """A param does not satisfy its schema."""


class SerializationError(AirflowException):
    """A value cannot be kept."""


class TaskNotFound(AirflowNotFoundException):
    """There is no such task."""


class TaskInstanceNotFound(AirflowNotFoundException):
    """There is no such task instance."""


class DagNotFound(AirflowNotFoundException):
    """There is no such workflow."""


class DagRunNotFound(AirflowNotFoundException):
    """There is no such run."""


class TaskDeferred(BaseException):
    """The task asks to wait outside of a worker, which nothing here can do."""

    def __init__(self, *, trigger=None, method_name="", kwargs=None, timeout=None):
        super().__init__()
        self.trigger, self.method_name, self.kwargs, self.timeout = trigger, method_name, kwargs, timeout


class TaskDeferralError(AirflowException):
    """A task that waited outside of a worker failed."""


class TaskDeferralTimeout(AirflowException):
    """A task waited too long outside of a worker."""


class RemovedInAirflow3Warning(DeprecationWarning):
    """Airflow 3 no longer has it."""


class RemovedInAirflow4Warning(DeprecationWarning):
    """Airflow 4 will no longer have it."""


class AirflowProviderDeprecationWarning(DeprecationWarning):
    """A provider will no longer have it."""
