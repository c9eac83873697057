"""Connections and variables: the secrets backend that the workflow names,
which the server asks by the task's role, and then the environment."""

import os


def look(kind, key, variable):
    """Returns the text of a connection or variable, or None."""
    uri = os.environ.get("FAIRLEAD_SECRETS_URI")
    if uri:
        text = ask(uri, kind, key)
        if text is not None:
            return text
    return os.environ.get(variable + key.upper())


def ask(uri, kind, key):
    import json
    from urllib.error import HTTPError, URLError
    from urllib.parse import quote
    from urllib.request import ProxyHandler, Request, build_opener

    from airflow.exceptions import AirflowException

    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    request = Request(f"{uri}/{kind}/{quote(key, safe='')}", headers={"Authorization": token})
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            text = json.load(answer)["value"]
    except HTTPError as e:
        if e.code == 404:
            return None
        try:
            why = json.load(e)["message"]
        except Exception:
            why = str(e)
        raise AirflowException(f"The secrets backend cannot give {kind}/{key}: {why}") from None
    except URLError as e:
        raise AirflowException(f"The secrets backend cannot be asked for {kind}/{key}: {e.reason}") from None
    hide(kind, key, text)
    return text


SENSITIVE = ("access_token", "api_key", "apikey", "authorization", "passphrase", "passwd", "password",
             "private_key", "secret", "token", "keyfile_dict", "service_account")


def is_sensitive(name):
    return any(s in str(name).strip().lower() for s in SENSITIVE)


def hide(kind, key, text):
    """Has all be masked that Airflow would: see airflow.sdk.log.mask_secret."""
    if kind == "variables":
        if is_sensitive(key):
            mask(text)
        return
    from airflow.models import Connection

    connection = Connection.of(key, text)
    if connection.password:
        mask(connection.password)
        from urllib.parse import quote

        mask(quote(connection.password, safe=""))
    try:
        extras = connection.extra_dejson
    except ValueError:
        return

    def walk(value, hidden):
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, hidden or is_sensitive(name))
        elif isinstance(value, list):
            for inner in value:
                walk(inner, hidden)
        elif hidden and isinstance(value, str):
            mask(value)

    walk(extras, False)


class Masked:
    """A text stream that masks what is written to it."""

    def __init__(self, stream):
        self.__dict__["_stream"] = stream

    def write(self, text):
        from fairlead_task import masked

        self._stream.write(masked(text))
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __setattr__(self, name, value):
        setattr(self._stream, name, value)


def mask(secret):
    """Has a text be masked in the log, in what the task prints and in errors."""
    import json
    import sys

    import fairlead_task

    known = set(fairlead_task.masks)
    for line in str(secret).splitlines():
        if len(line.strip()) < 5:
            continue
        once = {line, json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1], repr(line)[1:-1]}
        twice = {json.dumps(f, ensure_ascii=False)[1:-1] for f in once}
        fairlead_task.masks[:] = sorted({*fairlead_task.masks, *once, *twice}, key=len, reverse=True)
    tell_keeper([m for m in fairlead_task.masks if m not in known])
    if fairlead_task.masks and not isinstance(sys.stdout, Masked):
        sys.stdout, sys.stderr = Masked(sys.stdout), Masked(sys.stderr)


def tell_keeper(secrets):
    """Has texts be masked in what other processes of the task print, too."""
    import fairlead_task
    import json

    fd = fairlead_task.log_fd
    if fd is None or not secrets:
        return
    import array
    import fcntl
    import termios
    import time

    line = json.dumps({"fairlead_mask": secrets}, ensure_ascii=False)
    fairlead_task.write_all(fd, line.encode("utf-8", "replace") + b"\n")
    # What they print comes by another pipe: this one must have been read.
    unread = array.array("i", [0])
    for _ in range(1000):
        try:
            fcntl.ioctl(fd, termios.FIONREAD, unread)
        except OSError:
            return
        if not unread[0]:
            return
        time.sleep(0.001)
