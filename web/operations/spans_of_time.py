"""The range of time that a query asks for: `range=1h`, or `from` and `to`."""

from __future__ import annotations

import datetime
import re

from flask import request

from pipeline.store.moments import id_at
from web import query
from web.errors import Problem, invalid

SHORTEST = datetime.timedelta(minutes=5)
LONGEST = datetime.timedelta(days=90)
_RANGE = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_UNIX_MS = re.compile(r"\d{1,14}(\.\d{1,6})?")


def asked(default: str | None) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """From when to when events are wanted, None where there is no limit; `default` is a range. Raises Problem."""
    text, given = request.args.get("range"), ("from" in request.args, "to" in request.args)
    if text is not None and any(given):
        raise invalid("query", "range", "give range or from and to, not both", "two_ranges", text)
    now = datetime.datetime.now(datetime.UTC)
    if text is None and not any(given):
        text = default
    if text is not None:
        return now - _length(text), now
    return _moment("from"), _moment("to")


def bounded(default: str) -> tuple[datetime.datetime, datetime.datetime]:
    """As `asked`, with both ends, 5 minutes to 90 days long. Raises Problem."""
    begin, end = asked(default)
    if begin is None:
        raise invalid("query", "from", "must be given with to", "missing")
    end = end or datetime.datetime.now(datetime.UTC)
    if not SHORTEST <= end - begin <= LONGEST:
        raise invalid("query", "from", "the range must have 5 minutes to 90 days", "out_of_range")
    return begin, end


def ids() -> tuple[int | None, int | None]:
    """As `asked` without a default, as ids of events. Raises Problem."""
    begin, end = asked(None)
    return None if begin is None else id_at(begin), None if end is None else id_at(end)


def _length(text: str) -> datetime.timedelta:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise invalid("query", "range", "must be a number with m, h or d, such as 15m", "invalid_range", text)
    length = datetime.timedelta(**{_UNITS[found[2]]: int(found[1])})
    if not SHORTEST <= length <= LONGEST:
        raise invalid("query", "range", "must be 5m to 90d", "out_of_range", text)
    return length


def _moment(name: str) -> datetime.datetime | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not _UNIX_MS.fullmatch(text):
        return query.moment(name, text)
    try:
        return datetime.datetime.fromtimestamp(float(text) / 1000, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        raise _out_of_range(name, text) from None


def _out_of_range(name: str, text: str) -> Problem:
    return invalid("query", name, "is out of range", "invalid_time", text)
