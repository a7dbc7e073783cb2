"""The examination: all checks at once, each in a thread with a deadline, their lines in a fixed order.

First Redis and the database are asked whether they are there. Where one is not, that is one line, and the checks that
need it are left out: their lines would only repeat it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from pipeline import search_settings
from pipeline.bus.inspect import Inspection
from pipeline.errors import SettingError, SpanfeedError
from pipeline.redaction import redactor_of
from pipeline.settings import Settings
from pipeline.store import inspect, open_store
from web.doctor import broker, clocks, database, folder, handlers, recorder, security, server
from web.doctor.lines import Level, Line, fault, ok, warning
from web.doctor.patient import Patient
from web.up.launch import connected

logger = logging.getLogger(__name__)
_FIRST_SECONDS = 4.0
_THEN_SECONDS = 7.0
"""Both together, and a second or two to start: within 15 s, whatever is down."""


@dataclasses.dataclass(frozen=True)
class Check:
    """One check. `after` names what must be there for it to make sense: redis, database, a broker."""

    name: str
    look: Callable[[Patient], list[Line]]
    after: tuple[str, ...] = ()


FIRST = (Check("redis", server.reachable), Check("database", database.reachable))
THEN = (
    Check("persistence", server.persistence, ("redis",)),
    Check("memory", server.memory, ("redis",)),
    Check("scripts", server.scripts, ("redis",)),
    Check("clock", clocks.redis_clock, ("redis",)),
    Check("database clock", clocks.database_clock, ("database",)),
    Check("broker", broker.workers, ("a broker",)),
    Check("recorder", recorder.recorder, ("redis",)),
    Check("watchdog", recorder.watchdog, ("redis",)),
    Check("handlers", handlers.handlers, ("redis",)),
    Check("deliveries", handlers.deliveries, ("redis", "database")),
    Check("migrations", database.migrations, ("database",)),
    Check("dead letters", database.dead_letters, ("database",)),
    Check("disk", folder.disk),
    Check("keys", folder.secrets),
    Check("spool", folder.spool),
    Check("documents", folder.documents),
    Check("page", folder.page),
)


SECURITY = (
    Check("secrets", security.secret_values),
    Check("keys", folder.secrets),
    Check("home folder", security.home_folder),
    Check("doors", security.doors),
    Check("servers", security.servers),
    Check("flower", security.flower),
    Check("content", security.content),
    Check("audit trail", security.audit_trail),
)


def examine_security(given: Settings) -> list[Line]:
    """Looks at what makes this installation safe or unsafe; no server needs to run but the database."""
    settings = given
    with contextlib.suppress(SettingError):
        settings = connected(given)
    try:
        redactor_of(settings)
    except SettingError as error:
        return [fault("redaction", str(error), "correct that setting")]
    return look_at(Patient(settings, None, open_store(settings)), SECURITY, _THEN_SECONDS)


def examine(given: Settings) -> list[Line]:
    """Looks at everything that can be looked at, within 12 seconds."""
    lines = [_settings(given)]
    settings, redis = given, None
    try:
        settings = connected(given)
        redis = Inspection(settings.redis_url)
    except SettingError as error:
        lines.append(fault("redis", str(error), "correct REDIS_URL") if given.redis_url else _nothing_runs(given))
    patient = Patient(settings, redis, open_store(settings))
    first = look_at(patient, [c for c in FIRST if redis is not None or c.name != "redis"], _FIRST_SECONDS)
    there = {line.name for line in first if line.level is not Level.FAULT}
    if _no_file(patient):
        there.discard("database")
    if settings.broker_url or "redis" in there:
        there.add("a broker")
    possible = [check for check in THEN if set(check.after) <= there]
    return [*lines, *first, *look_at(patient, possible, _THEN_SECONDS)]


def _nothing_runs(settings: Settings) -> Line:
    # No fault: it is so on every machine on which nothing was started yet.
    found = f"nothing runs here: REDIS_URL is empty, and no `spanfeed up` runs in {settings.home_path}"
    return warning("running", found, "spanfeed up, or set REDIS_URL")


def _settings(settings: Settings) -> Line:
    try:
        search_settings.check(settings)
    except SettingError as error:
        return fault("settings", str(error), "correct it")
    return ok("settings", f"they can be used; home folder {settings.home_path}")


def _no_file(patient: Patient) -> bool:
    """Whether SQLite's file is missing: a question would make it."""
    try:
        file = inspect.file_of(patient.settings)
    except SpanfeedError:
        return True
    return file is not None and not file.exists()


def look_at(patient: Patient, checks: Sequence[Check], seconds: float) -> list[Line]:
    """What the checks say; one that has not answered within `seconds` is a fault. Its thread is left behind."""
    done: queue.SimpleQueue[tuple[str, list[Line]]] = queue.SimpleQueue()
    for check in checks:
        # Daemons: a library that waits for a dead server in C cannot be told to stop, and must not hold the exit.
        threading.Thread(target=lambda c=check: done.put((c.name, _look(patient, c))), daemon=True).start()
    deadline = time.monotonic() + seconds
    found: dict[str, list[Line]] = {}
    while len(found) < len(checks):
        try:
            name, lines = done.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[name] = lines
    late = [
        fault("late", f"no answer within {seconds:g} s", "see whether it hangs, or whether a firewall stands between")
    ]
    return [
        line if line.name != "late" else dataclasses.replace(line, name=check.name)
        for check in checks
        for line in found.get(check.name, late)
    ]


def _look(patient: Patient, check: Check) -> list[Line]:
    try:
        return check.look(patient)
    except SpanfeedError as error:
        return [fault(check.name, str(error), "look at what it asks, and ask the doctor again")]
    except Exception as error:
        # One check that stumbles must not take the others' lines.
        logger.debug("the check %s stumbled", check.name, exc_info=True)
        return [fault(check.name, f"it could not be looked at: {type(error).__name__}", "see its log; LOG_LEVEL=DEBUG")]
