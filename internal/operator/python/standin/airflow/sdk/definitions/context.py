from fairlead_context import Context  # noqa: F401
from fairlead_context import current as get_current_context  # noqa: F401
