"""PythonOperator, for classes that derive from it."""

from airflow.sdk.bases.operator import BaseOperator
from fairlead_context import current as get_current_context  # noqa: F401
from fairlead_context import maker


class PythonOperator(BaseOperator):
    """Calls a function."""

    template_fields = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    ui_color = "#ffefeb"

    def __init__(self, *, python_callable, op_args=None, op_kwargs=None, templates_dict=None, templates_exts=None,
                 show_return_value_in_logs=True, **kwargs):
        super().__init__(**kwargs)
        if isinstance(python_callable, str):
            from fairlead_task import find

            python_callable = find(python_callable)
        if not callable(python_callable):
            raise TypeError("`python_callable` param must be callable")
        self.python_callable = python_callable
        self.op_args, self.op_kwargs = op_args or (), op_kwargs or {}
        self.templates_dict = templates_dict
        if templates_exts:
            self.template_ext = templates_exts
        self.show_return_value_in_logs = show_return_value_in_logs

    def determine_kwargs(self, context):
        from fairlead_task import bind

        return bind(self.python_callable, self.op_args, self.op_kwargs, maker())

    def execute(self, context):
        if self.templates_dict:
            context["templates_dict"] = maker().templates_dict = self.templates_dict
        self.op_kwargs = self.determine_kwargs(context)
        value = self.execute_callable()
        if self.show_return_value_in_logs:
            self.log.info("Done. Returned value was: %s", value)
        else:
            self.log.info("Done. Returned value not shown")
        return value

    def execute_callable(self):
        return self.python_callable(*self.op_args, **self.op_kwargs)
