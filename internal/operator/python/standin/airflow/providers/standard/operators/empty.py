"""EmptyOperator, for classes that derive from it."""

from airflow.sdk.bases.operator import BaseOperator


class EmptyOperator(BaseOperator):
    """Does nothing."""

    ui_color = "#e8f7e4"

    def execute(self, context):
        pass
