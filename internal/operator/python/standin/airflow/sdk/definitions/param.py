"""Params, as values."""


class Param:
    """The default of a param and the schema of its values."""

    def __init__(self, default=None, description=None, **schema):
        self.value, self.description, self.schema = default, description, schema

    def resolve(self, value=None, suppress_exception=False):
        return self.value if value is None else value
