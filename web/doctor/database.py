"""The database: whether it answers, is migrated, and stored everything."""

from __future__ import annotations

from pipeline.errors import SpanfeedError, StoreUnavailable
from pipeline.store import inspect, migrate
from web.doctor.lines import Line, fault, ok, warning
from web.doctor.patient import Patient

_UPGRADE = "spanfeed db upgrade"


def reachable(patient: Patient) -> list[Line]:
    """The database answers; SQLite's file is not made where it is missing."""
    try:
        file = inspect.file_of(patient.settings)
        if file is not None and not file.exists():
            say = warning if patient.redis is None else fault
            return [say("database", f"there is no {file.name} yet", f"{_UPGRADE}, or spanfeed up")]
        facts = inspect.facts(patient.store)
    except StoreUnavailable as error:
        return [fault("database", str(error), "start it, or correct DATABASE_URL and its password")]
    except SpanfeedError as error:
        return [fault("database", str(error), "correct DATABASE_URL")]
    found = f"{facts.name} {facts.version}"
    if facts.journal not in {None, "wal"}:
        found += f" with journal mode {facts.journal}: readers and the recorder wait for each other"
        return [warning("database", found, "put SPANFEED_HOME on a local disk, or use PostgreSQL")]
    return [ok("database", found)]


def migrations(patient: Patient) -> list[Line]:
    """The schema is the one that this program needs."""
    current, newest = migrate.current_revision(patient.store), migrate.newest_revision()
    if current != newest:
        return [fault("migrations", f"the schema is at {current}, this program needs {newest}", _UPGRADE)]
    return [ok("migrations", f"the schema is at {current}, the newest")]


def dead_letters(patient: Patient) -> list[Line]:
    """Nothing lies with the dead letters."""
    count = inspect.dead_letter_count(patient.store)
    if count:
        mend = "spanfeed events dead-letters list shows why; spanfeed events dead-letters retry tries again"
        return [warning("dead letters", f"{count} events could not be stored", mend)]
    return [ok("dead letters", "none")]
