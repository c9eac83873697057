from fairlead_context import Context  # noqa: F401
