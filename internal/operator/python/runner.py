"""Carries out one task that is written in Python, as Airflow would.

The request is a JSON object on standard input; the report is a JSON object on
the descriptor that FAIRLEAD_RESULT_FD names; log lines are JSON objects on
FAIRLEAD_LOG_FD. What the task prints goes to standard output as it is.

The interpreter starts isolated and without its site module (-I -S), and what
is imported here imports little: a function that does nothing should cost no
more than the start of Python. What users import is loaded when they do.
"""

import sys


def main():
    here = __file__.rpartition("/")[0]
    sys.path.insert(0, here)
    from fairlead_task import run

    run(here)


if __name__ == "__main__":  # else it is imported by a process of a task's that multiprocessing has spawned
    main()
