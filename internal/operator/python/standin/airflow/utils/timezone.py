"""Moments with a time zone."""

from datetime import datetime as _datetime
from datetime import timezone as _timezone

utc = _timezone.utc


def utcnow():
    return _datetime.now(utc)


def datetime(*args, **kwargs):
    kwargs.setdefault("tzinfo", utc)
    return _datetime(*args, **kwargs)


def parse(text):
    moment = _datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=utc)
