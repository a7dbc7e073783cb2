"""The recorder and the watchdog beside it: whether they run, and how far they are behind."""

from __future__ import annotations

from pipeline.bus.inspect import LogFacts
from web.doctor.lines import Line, fault, ok, seconds_text, warning
from web.doctor.patient import Patient

_SILENT_SECONDS = 10.0
"""A recorder says every two seconds that it lives."""
_BEHIND_WARNING_SECONDS = 10.0
_BEHIND_FAULT_SECONDS = 300.0
_OVERDUE_SECONDS = 10.0
_START = "start one: spanfeed record (one that runs waits while the database is away)"


def recorder(patient: Patient) -> list[Line]:
    """A recorder reads the log and keeps up."""
    redis = patient.asked_redis
    log = redis.log()
    behind = 0.0 if log.unstored_from is None else max(0.0, (redis.now_id() - log.unstored_from) / 1e6)
    waits = f"{log.waiting} events wait to be stored, the oldest for {seconds_text(behind)}" if log.waiting else ""
    consumers = log.consumers or ()
    names = redis.recording(_SILENT_SECONDS)
    if not names:
        found = "no recorder has read yet"
        if consumers:
            idle = min(consumer.idle_ms for consumer in consumers) / 1000
            found = f"no recorder reads: the last one did {seconds_text(idle)} ago"
        return [fault("recorder", "; ".join(filter(None, (found, waits))), _START)]
    found = f"{len(names)} running, {waits or 'everything is stored'}{_left_behind(log, names)}"
    mend = "look into the recorder's log; it waits while the database is away"
    if log.waiting and behind >= _BEHIND_FAULT_SECONDS:
        return [fault("recorder", found, mend)]
    if log.waiting and behind >= _BEHIND_WARNING_SECONDS:
        return [warning("recorder", found, mend)]
    return [ok("recorder", found)]


def _left_behind(log: LogFacts, names: list[str]) -> str:
    """What recorders that are gone had taken and not stored; a running one takes it over."""
    pending = sum(consumer.pending for consumer in log.consumers or () if consumer.name not in names)
    return f", {pending} events were taken by one that is gone" if pending else ""


def watchdog(patient: Patient) -> list[Line]:
    """Runs that are due are looked after."""
    redis = patient.asked_redis
    slack = _OVERDUE_SECONDS + patient.settings.watch_interval_seconds
    now = redis.now_id()
    count, since = redis.overdue(now - int(slack * 1e6))
    if not count:
        return [ok("watchdog", "no run is overdue")]
    found = f"{count} runs are overdue, the first for {seconds_text((now - since) / 1e6)}: no watchdog looks after them"
    return [fault("watchdog", found, "it runs beside the recorder: spanfeed record")]
