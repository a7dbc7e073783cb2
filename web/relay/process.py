"""Running a relay until it is told to end."""

from __future__ import annotations

import contextlib
import gc
import logging
import resource
import signal

from pipeline.bus import open_bus
from pipeline.settings import Settings
from pipeline.store import open_store
from web.feed.admission import Admission
from web.feed.past import Past
from web.feed.seats import Seats
from web.relay import orders, sockets
from web.relay.door import Door
from web.relay.heir import Heir
from web.relay.reactor import Reactor

logger = logging.getLogger(__name__)
_OTHER_DESCRIPTORS = 256
_COLLECT_EVERY_OBJECTS = 50_000


def run_until_signal(settings: Settings, number: int = 0, kept: bool = False) -> None:
    """Serves feeds until SIGTERM or SIGINT, or until a successor has taken them over; SIGHUP starts one.

    `kept`: the parent is `web.relay.keeper`. Raises OSError when the socket cannot be made.
    """
    # A keeper has blocked them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD))
    bus, store = open_bus(settings), open_store(settings)
    seats = Seats(settings, _places(settings.relay_sockets_limit))
    reactor = Reactor(settings, Past(settings, bus, store), Admission(settings, store), seats, f"relay {number}")
    heir = Heir(kept)
    door = Door(sockets.folder(settings.home_path), orders.name_of(number), seats, reactor.crowd.admit, reactor.figures)
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: reactor.stop())
    signal.signal(signal.SIGHUP, lambda *_: reactor.soon(lambda: _replace(reactor, heir)))
    # Clients are many objects and no garbage: looking for some in them would stop the loop for long.
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY_OBJECTS, 20, 20)
    if reactor.run(door, failed=heir.end) is not None:
        bus.close_connections()
        store.close()
        heir.keep(reactor.succession.successor)
    else:
        heir.end()


def _replace(reactor: Reactor, heir: Heir) -> None:
    if not reactor.succession.is_under_way:
        heir.start()


def _places(wanted: int) -> int:
    """So many sockets, or as many as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + _OTHER_DESCRIPTORS:
        raised = (
            wanted + _OTHER_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, wanted + _OTHER_DESCRIPTORS)
        )
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(wanted, soft - _OTHER_DESCRIPTORS))
