"""Durable handlers: whether they keep up with the log, and what they gave up."""

from __future__ import annotations

from pipeline.store import migrate, subscriptions
from pipeline.subscriptions.feeding import NAME
from web.doctor.lines import Line, ok, warning
from web.doctor.patient import Patient

_SEE = "run it: spanfeed handlers run; or let it go: spanfeed handlers forget"

_DELIVER = "run: spanfeed deliver"


def handlers(patient: Patient) -> list[Line]:
    """Each durable handler that has a cursor."""
    limit = patient.settings.handler_log_limit_events
    lines = []
    for one in patient.asked_redis.handlers():
        name, behind = f"handler {one.name}", one.waiting + one.pending
        mend = _DELIVER if one.name == NAME else _SEE
        if one.lost:
            lines.append(warning(name, "the log has let events go that it had not had", mend))
        elif behind * 2 >= limit:
            found = f"{behind} events wait for it; beyond {limit} the log lets the oldest go"
            lines.append(warning(name, found, mend))
        elif one.dead:
            lines.append(warning(name, f"it gave {one.dead} events up", "see why: spanfeed handlers list"))
        else:
            lines.append(ok(name, f"{behind} events wait for it"))
    return lines


def deliveries(patient: Patient) -> list[Line]:
    """A warning where somebody has subscribed and nobody has ever delivered."""
    if any(one.name == NAME for one in patient.asked_redis.handlers()):
        return []
    if migrate.current_revision(patient.store) != migrate.newest_revision() or not subscriptions.living(patient.store):
        return []
    return [warning("deliveries", "there are subscriptions, but nobody delivers", _DELIVER)]
