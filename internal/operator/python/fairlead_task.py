"""The run of one task: request, call, report."""

import importlib
import importlib.util
import inspect
import json
import logging
import os
import sys
import threading
import traceback
from datetime import datetime, timezone

from airflow.exceptions import AirflowFailException, AirflowSkipException
from fairlead_context import Context, make_context

OPERATOR_LOGGER = "airflow.task.operators."


class Log:
    """Writes log lines in the form of the service."""

    def __init__(self, fd):
        self.fd = fd
        self.lock = threading.Lock()

    def write(self, level, event, logger, **more):
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        line = {"timestamp": now, "level": level, "event": event, "logger": logger, **more}
        data = (json.dumps(line, default=str) + "\n").encode()
        with self.lock:
            while data:
                data = data[os.write(self.fd, data):]


class LogHandler(logging.Handler):
    """Sends what Python code logs to the task's log."""

    def __init__(self, log):
        super().__init__()
        self.log = log

    def emit(self, record):
        try:
            more = {}
            if record.exc_info and record.exc_info[1] is not None:
                more["error_detail"] = error_detail(record.exc_info[1])
            self.log.write(record.levelname.lower(), record.getMessage(), record.name, **more)
        except Exception:  # a bad format string must not end the task
            self.handleError(record)


def error_detail(err):
    """Describes an exception and what led to it, the last one first."""
    details, seen, is_cause = [], set(), False
    while err is not None and id(err) not in seen and len(details) < 20:
        seen.add(id(err))
        frames = [
            {"filename": f.filename, "lineno": f.lineno, "name": f.name}
            for f in traceback.extract_tb(err.__traceback__)[-50:]
            if not f.filename.endswith("/fairlead_task.py")
        ]
        details.append({
            "exc_type": type(err).__name__,
            "exc_value": str(err)[:10000],
            "exc_notes": [str(n)[:1000] for n in getattr(err, "__notes__", ())][:20],
            "syntax_error": None,
            "is_cause": is_cause,
            "frames": frames,
        })
        is_cause = err.__cause__ is not None
        err = err.__cause__ or (None if err.__suppress_context__ else err.__context__)
    return details


def find_callable(request):
    """Returns the function that the request names."""
    if request.get("callable"):
        parts = request["callable"].split(".")
        # The longest prefix that is a module; the rest are attributes, so
        # that static methods can be named as well.
        for n in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:n])
            try:
                target = importlib.import_module(name)
            except ModuleNotFoundError as e:
                missing = e.name or ""
                if n > 1 and (name == missing or name.startswith(missing + ".")):
                    continue
                raise
            for part in parts[n:]:
                target = getattr(target, part)
            break
    else:
        spec = importlib.util.spec_from_file_location("fairlead_user_code", request["file"])
        if spec is None:
            raise ImportError(f"{request['file']} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        target = getattr(module, request["name"])
    if not callable(target):
        raise TypeError("`python_callable` param must be callable")
    return target


def bind(function, args, kwargs, context):
    """Chooses the keyword arguments: op_kwargs over the context, and of the
    context only what the function asks for."""
    offered = Context(context)
    offered.update(kwargs)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have none
        return kwargs
    for p in parameters[: len(args)]:
        if p.kind is not p.VAR_POSITIONAL and p.name in offered:
            raise ValueError(
                f"The key {p.name!r} in args is a part of kwargs and therefore reserved."
            )
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(offered)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: offered[p.name] for p in parameters if p.kind in by_name and p.name in offered}


def run():
    log = Log(int(os.environ.pop("FAIRLEAD_LOG_FD", "2")))
    result_fd = int(os.environ.pop("FAIRLEAD_RESULT_FD", "1"))
    for fd in (log.fd, result_fd):
        os.set_inheritable(fd, fd < 3)
    request = json.load(sys.stdin)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    logging.root.addHandler(LogHandler(log))
    logging.root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    if request.get("dags"):
        sys.path.append(request["dags"])
    sys.argv = ["airflow"]

    context = make_context(request)
    report = {"outputs": context["ti"].pushed}
    try:
        value = call(request, context, log)
        if value is not None:
            context["ti"].xcom_push("return_value", value)
    except AirflowSkipException as e:
        report.update(skip=True, error=str(e) or "the task raised AirflowSkipException")
        log.write("info", "Skipping task.", "task", reason=str(e))
    except BaseException as e:  # SystemExit and KeyboardInterrupt too are failures
        report.update(error=describe(e), fatal=isinstance(e, AirflowFailException))
        log.write("error", "Task failed with exception", "task", error_detail=error_detail(e))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    data = json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    while data:
        data = data[os.write(result_fd, data):]
    # Threads that the task left behind must not keep it alive, nor may their
    # end change how it went.
    os._exit(1 if "error" in report and not report.get("skip") else 0)


def call(request, context, log):
    kwargs = request.get("op_kwargs") or {}
    args = request.get("op_args") or []
    if request.get("templates_dict"):
        context["templates_dict"] = request["templates_dict"]
    function = find_callable(request)
    value = function(*args, **bind(function, args, kwargs, context))
    shown = str(value)[:10000] if request.get("show_result") else "not shown"
    log.write("info", f"Done. Returned value was: {shown}" if request.get("show_result")
              else "Done. Returned value not shown", OPERATOR_LOGGER + request["task"]["operator"])
    return value


def describe(err):
    text = str(err)[:20000]
    return f"{type(err).__name__}: {text}" if text else type(err).__name__
