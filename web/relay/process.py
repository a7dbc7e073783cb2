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
from web.relay.reactor import Reactor

logger = logging.getLogger(__name__)
_OTHER_DESCRIPTORS = 256
_COLLECT_EVERY_OBJECTS = 50_000


def run_until_signal(settings: Settings, number: int = 0) -> None:
    """Serves feeds until SIGTERM or SIGINT. Raises OSError when the socket cannot be made."""
    bus, store = open_bus(settings), open_store(settings)
    seats = Seats(settings, _places(settings.relay_sockets_limit))
    reactor = Reactor(settings, Past(settings, bus, store), Admission(settings, store), seats)
    door = Door(sockets.folder(settings.home_path), orders.name_of(number), seats, reactor.crowd.admit)
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: reactor.stop())
    # Clients are many objects and no garbage: looking for some in them would stop the loop for long.
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY_OBJECTS, 20, 20)
    logger.info("relay %d serves feeds", number)
    reactor.run(door)


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
