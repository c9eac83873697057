"""PythonSensor, for classes that derive from it."""

from airflow.sdk.bases.sensor import BaseSensorOperator, PokeReturnValue
from fairlead_context import maker


class PythonSensor(BaseSensorOperator):
    """Asks a function."""

    template_fields = ("templates_dict", "op_args", "op_kwargs")

    def __init__(self, *, python_callable, op_args=None, op_kwargs=None, templates_dict=None, **kwargs):
        super().__init__(**kwargs)
        if isinstance(python_callable, str):
            from fairlead_task import find

            python_callable = find(python_callable)
        self.python_callable = python_callable
        self.op_args, self.op_kwargs, self.templates_dict = op_args or [], op_kwargs or {}, templates_dict

    def poke(self, context):
        from fairlead_task import bind

        if self.templates_dict:
            context["templates_dict"] = maker().templates_dict = self.templates_dict
        self.log.info("Poking callable: %s", self.python_callable)
        kwargs = bind(self.python_callable, self.op_args, self.op_kwargs, maker())
        answer = self.python_callable(*self.op_args, **kwargs)
        return answer if isinstance(answer, PokeReturnValue) else PokeReturnValue(bool(answer))
