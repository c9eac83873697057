"""Waits for tasks that are written in Python, and forks a process for each
that carries it out as runner.py would."""

import sys


def main():
    here = __file__.rpartition("/")[0]
    sys.path.insert(0, here)
    import fairlead_warm

    template = fairlead_warm.Template()
    from fairlead_task import Warm, run

    warm = Warm(here)

    def become(argv):
        name = argv[0].decode()
        if "/" in name and name != sys.executable:
            warm.change(name)
        run(here, True)

    template.serve(become)


if __name__ == "__main__":  # else it is imported by a process of a task's that multiprocessing has spawned
    main()
