from fairlead_context import current as get_current_context  # noqa: F401
