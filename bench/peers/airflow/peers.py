"""The jobs of bench/peers as Airflow DAGs, found by Airflow's DAG processor."""

from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

LENGTH, WIDTH = 10, 100


def nothing(i: int):
    return EmptyOperator(task_id=f"t{i}")


def process(i: int):
    return BashOperator(task_id=f"t{i}", bash_command="true")


for prefix, make in (("", nothing), ("bash-", process)):
    with DAG(prefix + "chain", schedule=None, start_date=datetime(2020, 1, 1)) as chain:
        before = None
        for i in range(LENGTH):
            task = make(i)
            if before:
                before >> task
            before = task
    with DAG(prefix + "wide", schedule=None, start_date=datetime(2020, 1, 1), max_active_tasks=WIDTH) as wide:
        for i in range(WIDTH):
            make(i)
    globals()[prefix + "chain"], globals()[prefix + "wide"] = chain, wide
