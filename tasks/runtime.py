"""What a process of the worker works with: made once a process, after the fork."""

from __future__ import annotations

import dataclasses
import functools
import os
import socket

from pipeline import settings as settings_table
from pipeline.bus import Bus, open_bus
from pipeline.emitter import Emitter
from pipeline.failpoints import Failpoints
from pipeline.settings import Settings
from pipeline.span_feed import SpanFeed
from pipeline.store import Store, open_store
from pipeline.tracing import Tracing
from pipeline.unified import EventSystem, event_router
from tasks.celery import app
from tasks.envelope import Envelopes, pushes_directly
from tasks.lease import Leases


@dataclasses.dataclass(frozen=True)
class Runtime:
    """The connections and limits of one process."""

    settings: Settings
    bus: Bus
    emitter: Emitter
    events: EventSystem
    store: Store
    tracing: Tracing
    envelopes: Envelopes
    failpoints: Failpoints
    leases: Leases
    holder: str


@functools.cache
def _of_process(pid: int) -> Runtime:
    settings = settings_table.load()
    bus = open_bus(settings)
    return Runtime(
        settings=settings,
        bus=bus,
        emitter=Emitter(bus),
        events=EventSystem(event_router, settings, bus),
        store=open_store(settings),
        tracing=Tracing(settings, [SpanFeed()], "worker"),
        envelopes=Envelopes(app, pushes_directly()),
        failpoints=Failpoints(settings.failpoints),
        leases=Leases(bus, settings.lease_renew_seconds, settings.home_path),
        holder=holder_of(pid),
    )


def runtime() -> Runtime:
    """This process's runtime."""
    return _of_process(os.getpid())


def holder_of(pid: int) -> str:
    """How a run names the process that holds its stage."""
    return f"{socket.gethostname()}/{pid}"
