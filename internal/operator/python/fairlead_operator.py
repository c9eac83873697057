"""The run of an operator or sensor that the code package brings."""

import os
import signal
import sys

import fairlead_context
from fairlead_json import dumps, loads, to_json
from fairlead_task import find


def call(attempt):
    """Makes the operator, renders its fields, executes it and returns what
    it returned."""
    from airflow.sdk.bases.operator import BaseOperator

    request, maker = attempt.request, attempt.context
    # What is wrong with the class or its arguments will be no better the
    # next time; the service refuses such a definition.
    attempt.fatal = True
    kind = find(request["task"]["operator"])
    if not isinstance(kind, type) or not issubclass(kind, BaseOperator):
        raise TypeError(f"{request['task']['operator']} is not a class derived from airflow.sdk.BaseOperator")
    args = {name: plain(value) for name, value in (request.get("args") or {}).items()}
    operator = kind(task_id=attempt.ti.task_id, **args)
    attempt.fatal = False
    maker.operator = operator
    context = maker.full()
    signal.signal(signal.SIGTERM, lambda *_: killed(operator))
    resolve_files(operator)
    operator.render_template_fields(context)
    hook = getattr(operator, "_pre_execute_hook", None)
    if hook:
        hook(context)
    operator.pre_execute(context)
    value = operator.execute(context)
    hook = getattr(operator, "_post_execute_hook", None)
    if hook:
        hook(context, value)
    operator.post_execute(context, value)
    return value if getattr(operator, "do_xcom_push", True) else None


def killed(operator):
    """Ends the process as asked, once the operator has had its say."""
    try:
        operator.on_kill()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(143)


def plain(value):
    """Returns an argument with its dates and timedeltas made."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__type__")
    if kind == "datetime.timedelta":
        from datetime import timedelta

        return timedelta(seconds=value["seconds"])
    if kind in ("datetime.datetime", "datetime.date"):
        import datetime

        return getattr(datetime, kind[9:]).fromisoformat(value["iso"])
    return {k: plain(v) for k, v in value.items()}


class Literal:
    """A value that is no template."""

    def __init__(self, value):
        self.value = value

    def __str__(self):
        return str(self.value)


class RenderError(Exception):
    """A template that cannot be rendered; its class takes Jinja's name."""


def resolve_files(operator):
    """Replaces fields that name a template file by its text."""
    endings = tuple(operator.template_ext or ())
    if not endings:
        return
    for name in operator.template_fields:
        value = getattr(operator, name, None)
        if isinstance(value, str) and value.endswith(endings):
            setattr(operator, name, template_file(value))
        elif isinstance(value, list):
            value[:] = [template_file(v) if isinstance(v, str) and v.endswith(endings) else v for v in value]
    operator.prepare_template()


def template_file(name):
    folder = fairlead_context.maker().request.get("dags") or "/usr/local/airflow/dags"
    path = os.path.realpath(os.path.join(folder, name.lstrip("/")))
    if name.startswith(folder + "/"):
        path = os.path.realpath(name)
    if not path.startswith(os.path.realpath(folder) + "/") or not os.path.isfile(path):
        raise type("TemplateNotFound", (RenderError,), {})(name)
    with open(path, encoding="utf-8") as f:
        return f.read()


def render_fields(operator):
    """Renders the attributes that template_fields names, in their order."""
    for name in operator.template_fields:
        if not hasattr(operator, name):
            raise AttributeError(
                f"{name!r} is configured as a template field but {type(operator).__name__} does not have this attribute."
            )
    names = [n for n in operator.template_fields if getattr(operator, n)]
    values = render_all(operator, [getattr(operator, n) for n in names], names)
    for name, value in zip(names, values):
        setattr(operator, name, value)


def render(operator, value):
    return render_all(operator, [value], [""])[0]


def render_all(operator, values, names):
    """Renders every text in the values, all with one state of the template
    engine, as the fields of one task share it."""
    endings = tuple(operator.template_ext or ())
    texts, owners = [], []

    def collect(text):
        texts.append(template_file(text) if endings and text.endswith(endings) else text)
        owners.append(name)
        return text

    for name, value in zip(names, values):
        visit(value, collect, set())
    done = iter(render_texts(texts, owners))
    return [visit(v, lambda _: next(done), set()) for v in values]


def visit(value, put, seen):
    """Returns a value with each text replaced by what put makes of it, as far
    as Airflow looks for texts: not into keys, and into objects that have
    template_fields."""
    if isinstance(value, str):
        return put(value)
    kind = type(value)
    if kind is tuple:
        return tuple([visit(v, put, seen) for v in value])
    if isinstance(value, tuple):  # a named one
        return kind(*[visit(v, put, seen) for v in value])
    if isinstance(value, list):
        return [visit(v, put, seen) for v in value]
    if isinstance(value, dict):
        return {k: visit(v, put, seen) for k, v in value.items()}
    if isinstance(value, set):
        return {visit(v, put, seen) for v in sorted(value, key=repr)}
    if isinstance(value, Literal):
        return value.value
    if id(value) not in seen and not isinstance(value, type):
        seen.add(id(value))
        for name in getattr(value, "template_fields", ()):
            field = getattr(value, name, None)
            if field:
                setattr(value, name, visit(field, put, seen))
    return value


def render_texts(texts, owners):
    """Renders templates by the same engine that renders those of other
    operators: a program that takes them, and what they may know, as JSON."""
    done, wanted = [], []
    for i, text in enumerate(texts):
        if "{{" in text or "{%" in text or "{#" in text:
            done.append(None)
            wanted.append(i)
        else:
            # What Jinja does to a text without any template in it.
            text = text.replace("\r\n", "\n").replace("\r", "\n")
            done.append(text[:-1] if text.endswith("\n") else text)
    if not wanted:
        return done
    import subprocess

    request = fairlead_context.maker().request
    ask = {
        "task": {k: v for k, v in request["task"].items() if k in ("dag_id", "run_id", "task_id", "try_number", "logical_date", "params", "conf")},
        "extras": bool(request.get("extras")), "xcoms": request.get("xcoms") or {}, "texts": [texts[i] for i in wanted],
    }
    p = subprocess.run(request["render"], input=dumps(to_json(ask)).encode("utf-8", "replace"), capture_output=True, check=False)
    if p.returncode != 0:
        raise RuntimeError("templates could not be rendered: " + p.stderr.decode(errors="replace")[-2000:])
    answer = loads(p.stdout.decode())
    if "error" in answer:
        i = wanted[answer["index"]]
        error = type(answer["type"], (RenderError,), {})(answer["error"])
        import logging

        logging.getLogger("airflow.sdk.definitions._internal.abstractoperator").error(
            "Exception rendering Jinja template for task '%s', field %r. Template: %r",
            request["task"]["task_id"], owners[i], texts[i], exc_info=error,
        )
        raise error
    for i, text in zip(wanted, answer["texts"]):
        done[i] = text
    return done
