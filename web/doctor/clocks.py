"""Clocks: this machine's, Redis's and the database's, and the newest id of the log."""

from __future__ import annotations

import datetime

from pipeline.errors import StoreUnavailable
from pipeline.store import inspect
from web.doctor.lines import Line, ok, seconds_text, warning
from web.doctor.patient import Patient

_APART_SECONDS = 1.0
_SYNCHRONISE = "synchronise the machines' clocks (NTP)"


def redis_clock(patient: Patient) -> list[Line]:
    """Redis's clock, which all ids and times come from, is right, and ids do not run ahead of it."""
    redis = patient.asked_redis
    ahead = redis.clock_ahead_seconds()
    if abs(ahead) > _APART_SECONDS:
        return [warning("clock", f"Redis's is {_apart(ahead)} this machine's", _SYNCHRONISE)]
    future = (redis.log().newest_id - redis.now_id()) / 1e6
    if future > _APART_SECONDS:
        found = f"the newest event's id lies {seconds_text(future)} in the future: Redis's clock was set back"
        return [
            warning("clock", found, f"{_SYNCHRONISE}; until then times of events are too late, their order is right")
        ]
    return [ok("clock", f"Redis's and this machine's are {abs(ahead) * 1000:.0f} ms apart")]


def database_clock(patient: Patient) -> list[Line]:
    """The database's clock agrees with this machine's; SQLite's is this machine's."""
    before = datetime.datetime.now(datetime.UTC)
    try:
        now = inspect.facts(patient.store).now
    except StoreUnavailable:
        return []
    if now is None:
        return []
    after = datetime.datetime.now(datetime.UTC)
    if before <= now <= after:
        return [ok("database clock", "the database's and this machine's agree")]
    ahead = (now - after if now > after else now - before).total_seconds()
    if abs(ahead) > _APART_SECONDS:
        return [warning("database clock", f"the database's is {_apart(ahead)} this machine's", _SYNCHRONISE)]
    return [ok("database clock", f"the database's and this machine's are {abs(ahead) * 1000:.0f} ms apart")]


def _apart(ahead: float) -> str:
    return f"{seconds_text(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'}"
