"""The run of one task: request, call, report."""

import os
import sys
import time
from _thread import allocate_lock

import fairlead_context
from fairlead_json import dumps, loads, quote

OPERATOR_LOGGER = "airflow.task.operators."


class Log:
    """Writes log lines in the form of the service."""

    def __init__(self, fd):
        self.fd = fd
        self.lock = allocate_lock()

    def write(self, level, event, logger, **more):
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        line = {"timestamp": stamp, "level": level, "event": event, "logger": logger, **more}
        write_all(self.fd, (masked(dumps(line)) + "\n").encode("utf-8", "backslashreplace"))


# What a secrets backend gave in the course of the task, which the server
# cannot know and mask by itself. The longest come first.
masks = []
log_fd = None


def masked(text):
    for secret in masks:
        text = text.replace(secret, "***")
    return text


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


class Hook:
    """Finds a module as always, and acts once it is loaded. Modules that are
    slow to import are set up when a task asks for them."""

    def __init__(self, name, then):
        self.name, self.then = name, then

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path)
        if spec is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                self.then(module)

            spec.loader.exec_module = exec_module
        return spec


def when_imported(name, then):
    module = sys.modules.get(name)
    if module is not None:
        then(module)
    else:
        sys.meta_path.insert(0, Hook(name, then))


def capture_logging(log):
    """Sends what Python code logs to the task's log."""

    def set_up(logging):
        class Handler(logging.Handler):
            def emit(self, record):
                try:
                    more = {}
                    if record.exc_info and record.exc_info[1] is not None:
                        from fairlead_error import error_detail

                        more["error_detail"] = error_detail(record.exc_info[1])
                    log.write(record.levelname.lower(), record.getMessage(), record.name, **more)
                except Exception:  # a bad format string must not end the task
                    self.handleError(record)

        logging.root.addHandler(Handler())
        logging.root.setLevel(logging.INFO)
        logging.captureWarnings(True)

    def warn(warnings):
        # logging takes the warnings over, and is imported by the first one.
        def show(*args, **kwargs):
            import logging  # noqa: F401

            warnings.showwarning(*args, **kwargs)

        if "logging" not in sys.modules:
            warnings.showwarning = show

    when_imported("warnings", warn)
    when_imported("logging", set_up)


class Attempt:
    """What the kinds of tasks share: the request, the context and the log."""

    def __init__(self, request, log):
        self.request, self.log = request, log
        self.context = fairlead_context.begin(request)
        self.ti = self.context.ti
        self.fatal = False  # whether an exception now is the definition's fault

    def operator_log(self, level, event):
        self.log.write(level, event, OPERATOR_LOGGER + self.request["task"]["operator"])


def add_site():
    """Does what the site module does at the start of Python, but for one
    file that most installations have: it costs milliseconds, to keep a module
    for old installers that Python 3.12 has dropped."""
    import site

    known = site.venv(site.removeduppaths())
    for folder in site.getsitepackages():
        if folder in known:  # of a virtual environment
            continue
        try:
            hooks = [n for n in os.listdir(folder) if n.endswith(".pth")]
        except OSError:
            continue
        if set(hooks) - {"distutils-precedence.pth"}:
            site.addsitedir(folder, known)
        else:
            sys.path.append(folder)
    site.setquit()
    site.setcopyright()
    site.sethelper()
    site.execsitecustomize()


def real_airflow():
    """Reports whether the interpreter has an Airflow of its own."""
    return any(os.path.exists(p + "/airflow/sdk/__init__.py") for p in sys.path if p)


class Warm:
    """What was done ahead, in a process from which those of tasks are forked.
    It is the interpreter's and ours, and never a task's."""

    def __init__(self, here):
        import datetime  # noqa: F401
        import json  # noqa: F401
        import logging  # noqa: F401
        import site  # noqa: F401

        import fairlead_error  # noqa: F401
        import fairlead_secrets  # noqa: F401

        self.path = list(sys.path)
        add_site()
        if not real_airflow():
            sys.path.insert(1, here + "/standin")
            import airflow.sdk.bases.operator  # noqa: F401

            import fairlead_operator  # noqa: F401

            sys.path.remove(here + "/standin")

    def change(self, executable):
        """Makes the interpreter one of a virtual environment, which may have an
        Airflow."""
        sys.executable = executable
        if sys.version_info >= (3, 11):  # which follow the link
            sys._base_executable = os.path.realpath(executable)
        sys.path[:] = self.path
        for name in list(sys.modules):
            if name in ("site", "fairlead_operator") or name.partition(".")[0] == "airflow":
                del sys.modules[name]
        add_site()


def run(here, warm=False):
    global log_fd
    if "FAIRLEAD_LOG_FD" in os.environ:
        log_fd = int(os.environ.pop("FAIRLEAD_LOG_FD"))
    log = Log(2 if log_fd is None else log_fd)
    result_fd = int(os.environ.pop("FAIRLEAD_RESULT_FD", "1"))
    for fd in (log.fd, result_fd):
        os.set_inheritable(fd, fd < 3)
    request = loads(read_all(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    if not warm:
        add_site()
    # Airflow comes first and the code package last: what is installed wins
    # over what the package brings, as in the service.
    real = real_airflow()
    if not real:
        capture_logging(log)
        sys.path.insert(1, here + "/standin")
    if request.get("dags"):
        sys.path.append(request["dags"])
    sys.argv = ["airflow"]

    attempt = Attempt(request, log)
    if real:
        from fairlead_airflow import carry_out as by_airflow

        report = by_airflow(attempt)
    else:
        report = carry_out(attempt)
    if "error" in report:
        report["error"] = masked(report["error"])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    outputs = ",".join(quote(k) + ":" + text for k, (_, text) in attempt.ti.pushed.items())
    data = dumps(report)[:-1] + ("," if report else "") + '"outputs":{' + outputs + "}}"
    write_all(result_fd, data.encode("utf-8", "replace"))
    # Threads that the task left behind must not keep it alive, nor may their
    # end change how it went.
    os._exit(1 if "error" in report and not report.get("skip") else 0)


def read_all(fd):
    parts = []
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts).decode()


def carry_out(attempt):
    """Carries out the task and returns the report, less what it published."""
    log = attempt.log
    try:
        if attempt.request.get("custom"):
            from fairlead_operator import call
        else:
            call = call_function
        value = call(attempt)
        if value is not None:
            attempt.ti.xcom_push("return_value", value)
        return {}
    except BaseException as e:  # SystemExit and KeyboardInterrupt too are failures
        report = describe(e, log)
        if attempt.fatal and "error" in report:
            report["fatal"] = True
        return report


def describe(e, log):
    """Says how an exception ends the task, by Airflow's rules."""
    kinds = {c.__name__ for c in type(e).__mro__ if c.__module__ in ("airflow.exceptions", "airflow.sdk.exceptions")}
    text = str(e)[:20000]
    if "AirflowSkipException" in kinds:
        if e.args:
            log.write("info", "Skipping task.", "task", reason=str(e.args[0])[:10000])
        return {"skip": True, "error": text or "the task raised AirflowSkipException"}
    if "AirflowRescheduleException" in kinds:
        log.write("info", "Rescheduling task, marking task as UP_FOR_RESCHEDULE", "task")
        return {"rest": e.reschedule_date.timestamp()}
    name = type(e).__name__
    report = {"error": f"{name}: {text}" if text else name}
    if kinds & {"AirflowFailException", "AirflowSensorTimeout"}:
        report["fatal"] = True
    if isinstance(e, SystemExit):
        code = e.code if isinstance(e.code, (int, str, type(None))) else str(e.code)
        log.write("error", "Task exited", "task", exit_code=code)
        return report
    if "TaskDeferred" in kinds:
        report = {"fatal": True, "error": "TaskDeferred: deferrable operators need a triggerer, which the service has not: "
                  "wait in mode poke or reschedule"}
    from fairlead_error import error_detail

    log.write("error", "Task failed with exception", "task", error_detail=error_detail(e))
    return report


def call_function(attempt):
    """Calls the function of a PythonOperator."""
    request = attempt.request
    kwargs = request.get("op_kwargs") or {}
    args = request.get("op_args") or []
    function = find_callable(request)
    value = function(*args, **bind(function, args, kwargs, attempt.context))
    if request.get("show_result"):
        attempt.operator_log("info", f"Done. Returned value was: {str(value)[:10000]}")
    else:
        attempt.operator_log("info", "Done. Returned value not shown")
    return value


def find_callable(request):
    """Returns the function that the request names."""
    if request.get("callable"):
        target = find(request["callable"])
    else:
        import importlib.util

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


def find(path):
    """Returns what a dotted path names: the longest prefix that is a module,
    and attributes of it, so that static methods can be named as well."""
    parts = path.split(".")
    for n in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:n])
        try:
            __import__(name)
        except ModuleNotFoundError as e:
            missing = e.name or ""
            if n > 1 and (name == missing or name.startswith(missing + ".")):
                continue
            raise
        target = sys.modules[name]
        for part in parts[n:]:
            target = getattr(target, part)
        return target
    raise ImportError(f"{path!r} names no module")


def bind(function, args, kwargs, context):
    """Chooses the keyword arguments: op_kwargs over the context, and of the
    context only what the function asks for."""
    try:
        by_position, by_name, takes_all = parameters(function)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return kwargs
    names = fairlead_context.NAMES
    for name in by_position[: len(args)]:
        if name in names or name in kwargs or name == "templates_dict":
            raise ValueError(f"The key {name!r} in args is a part of kwargs and therefore reserved.")
    if takes_all:
        return fairlead_context.Context(context.full(), **kwargs)
    given = {}
    for name in by_name:
        if name in kwargs:
            given[name] = kwargs[name]
        elif name in names:
            given[name] = context.value(name)
        elif name == "templates_dict":
            given[name] = context.templates_dict
    return given


def parameters(function):
    """Returns the names of parameters that may be given by position, those
    that may be given by name, and whether any name is taken."""
    code = getattr(function, "__code__", None)
    if code is not None and type(function) is type(parameters) and not hasattr(function, "__wrapped__") \
            and not hasattr(function, "__signature__"):
        # What inspect would find out; it takes longer to import than most
        # functions take to run.
        n = code.co_argcount
        names = code.co_varnames[: n + code.co_kwonlyargcount]
        return names[:n], names[code.co_posonlyargcount:], bool(code.co_flags & 0x08)
    import inspect

    found = list(inspect.signature(function).parameters.values())
    kinds = inspect.Parameter
    by_position = [p.name for p in found if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    by_name = [p.name for p in found if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    return by_position, by_name, any(p.kind is kinds.VAR_KEYWORD for p in found)
