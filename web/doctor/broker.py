"""Celery's broker and its workers: every queue has a consumer, and all run the same version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import celery
from celery import Celery
from kombu import Connection
from kombu.exceptions import ChannelError, KombuError

from tasks.chat import QUEUES
from web.doctor.lines import Line, fault, ok, warning
from web.doctor.patient import Patient

_ANSWER_SECONDS = 2.0
_MANY_WAIT = 1_000
_VERSION = re.compile(r"\bcelery:(\d[\w.]*)")


def workers(patient: Patient) -> list[Line]:
    """The broker answers, and each stage's queue has a worker."""
    app = _app(patient)
    with app.connection_for_read(connect_timeout=_ANSWER_SECONDS) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=_ANSWER_SECONDS)
            waiting = _waiting(connection)
            consumed = app.control.inspect(timeout=_ANSWER_SECONDS, connection=connection).active_queues() or {}
            reports = _reports(app, connection, consumed)
        except (OSError, KombuError, *connection.connection_errors, *connection.channel_errors) as error:
            found = f"the broker did not answer: {type(error).__name__}"
            return [fault("broker", found, "start it, or correct SPANFEED_BROKER_URL (empty: REDIS_URL)")]
    where = "another broker" if patient.settings.broker_url else "the same Redis"
    return [ok("broker", where), *_consumers(consumed, waiting), *_versions(reports), *_queues(waiting)]


def _app(patient: Patient) -> Celery:
    """A Celery of the doctor's own: the settings' address, which may be that of a running `spanfeed up`."""
    options = {"socket_timeout": _ANSWER_SECONDS, "socket_connect_timeout": _ANSWER_SECONDS}
    app = Celery("doctor", broker=patient.settings.celery_broker_url, set_as_current=False)
    app.conf.update(broker_transport_options=options, broker_connection_timeout=_ANSWER_SECONDS)
    return app


def _waiting(connection: Connection) -> dict[str, int]:
    found = {}
    for queue in QUEUES:
        with connection.channel() as channel:
            try:
                found[queue] = int(channel.queue_declare(queue, passive=True).message_count)
            except ChannelError:
                found[queue] = 0
    return found


def _reports(app: Celery, connection: Connection, consumed: Mapping[str, Any]) -> dict[str, str]:
    """What each worker says of its software; asked by name, so that nobody else is waited for."""
    if not consumed:
        return {}
    names = list(consumed)
    inspect = app.control.inspect(names, timeout=_ANSWER_SECONDS, connection=connection, limit=len(names))
    return {name: str(reply.get("ok", "")) for name, reply in (inspect.report() or {}).items()}


def _consumers(consumed: Mapping[str, list[dict[str, Any]]], waiting: Mapping[str, int]) -> list[Line]:
    total = sum(waiting.values())
    if not consumed:
        return [fault("workers", f"no worker answers; {total} messages wait", "start one: spanfeed worker")]
    taken = {queue["name"] for queues in consumed.values() for queue in queues}
    lines = [ok("workers", f"{len(consumed)}: {', '.join(sorted(consumed))}")]
    return lines + [
        fault(
            f"queue {queue}",
            f"no worker takes from it; {count} messages wait",
            f"start one: spanfeed worker --name more --queues {queue}",
        )
        for queue, count in waiting.items()
        if queue not in taken
    ]


def _versions(reports: Mapping[str, str]) -> list[Line]:
    found = {name: match[1] for name, report in reports.items() if (match := _VERSION.search(report))}
    others = [f"{name} has {version}" for name, version in sorted(found.items()) if version != celery.__version__]
    if others:
        mend = "install the pinned packages there (make setup) and start the worker again"
        return [warning("versions", f"Celery {celery.__version__} here, but {', '.join(others)}", mend)]
    return [ok("versions", f"Celery {celery.__version__} here and in every worker")] if found else []


def _queues(waiting: Mapping[str, int]) -> list[Line]:
    busy = ", ".join(f"{queue} {count}" for queue, count in waiting.items() if count)
    if max(waiting.values()) >= _MANY_WAIT:
        return [
            warning("queues", f"many messages wait: {busy}", "start more workers, or set SPANFEED_WORKER_PROCESSES")
        ]
    return [ok("queues", f"messages that wait: {busy or 'none'}")]
