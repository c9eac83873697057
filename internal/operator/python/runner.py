"""Calls one Python function as Airflow's PythonOperator would.

The request is a JSON object on standard input; the report is a JSON object on
the descriptor that FAIRLEAD_RESULT_FD names; log lines are JSON objects on
FAIRLEAD_LOG_FD. What the function prints goes to standard output as it is.
"""

import sys


def main():
    here = __file__.rpartition("/")[0]
    # The stand-in comes first and the code package last: what is installed
    # wins over what the package brings, as in the service.
    sys.path.insert(0, here)
    from fairlead_task import run

    sys.exit(run())


main()
