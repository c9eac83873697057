"""Functions that the workflow in tidy.yaml calls."""


def unique(title, params):
    """Sorts the words of the run and drops doubles.

    An argument named like a context variable, such as params, is filled in
    by Airflow; the others come from op_kwargs.
    """
    words = sorted(set(params["words"]))
    print(f"{title}: {', '.join(words)}")
    return {"title": title, "words": words, "count": len(words)}


def report(ti):
    """Reads what the task sort returned."""
    found = ti.xcom_pull(task_ids="sort")
    return f"{found['title']} has {found['count']} kinds"
