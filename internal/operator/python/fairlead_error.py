"""Exceptions in the form of the service's log."""

import traceback

# Frames of the runner say nothing about the task.
OURS = ("/fairlead_task.py", "/fairlead_operator.py")


def error_detail(err):
    """Describes an exception and what led to it, the last one first."""
    details, seen, is_cause = [], set(), False
    while err is not None and id(err) not in seen and len(details) < 20:
        seen.add(id(err))
        frames = [
            {"filename": f.filename, "lineno": f.lineno, "name": f.name}
            for f in traceback.extract_tb(err.__traceback__)[-50:]
            if not f.filename.endswith(OURS)
        ]
        details.append({
            "exc_type": type(err).__name__,
            "exc_value": str(err)[:10000],
            "exc_notes": [str(n)[:1000] for n in getattr(err, "__notes__", ())][:20],
            "syntax_error": syntax(err),
            "is_cause": is_cause,
            "frames": frames,
            "is_group": False,
            "exceptions": [],
        })
        is_cause = err.__cause__ is not None
        err = err.__cause__ or (None if err.__suppress_context__ else err.__context__)
    return details


def syntax(err):
    """Says where the text of a module is wrong."""
    if not isinstance(err, SyntaxError):
        return None
    return {"offset": err.offset or 0, "filename": err.filename or "?", "line": (err.text or "")[:1000],
            "lineno": err.lineno or 0, "msg": err.msg or ""}
