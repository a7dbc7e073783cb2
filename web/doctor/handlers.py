"""Durable handlers: whether they keep up with the log, and what they gave up."""

from __future__ import annotations

from web.doctor.lines import Line, ok, warning
from web.doctor.patient import Patient

_SEE = "run it: spanfeed handlers run; or let it go: spanfeed handlers forget"


def handlers(patient: Patient) -> list[Line]:
    """Each durable handler that has a cursor."""
    limit = patient.settings.handler_log_limit_events
    lines = []
    for one in patient.asked_redis.handlers():
        name, behind = f"handler {one.name}", one.waiting + one.pending
        if one.lost:
            lines.append(warning(name, "the log has let events go that it had not had", _SEE))
        elif behind * 2 >= limit:
            found = f"{behind} events wait for it; beyond {limit} the log lets the oldest go"
            lines.append(warning(name, found, _SEE))
        elif one.dead:
            lines.append(warning(name, f"it gave {one.dead} events up", "see why: spanfeed handlers list"))
        else:
            lines.append(ok(name, f"{behind} events wait for it"))
    return lines
