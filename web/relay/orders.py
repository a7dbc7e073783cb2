"""What web processes and relays say to each other when a socket is handed over. No I/O.

One connection (Unix, SOCK_SEQPACKET, so that a message stays whole) hands over one socket:

    web    → relay   ask: the session's id
    relay  → web     YES, or why there is no place
    web    → relay   an order, with the socket's descriptor
    relay  → web     TAKEN, before it writes to the socket

As long as the connection lives a place is kept. Without TAKEN the socket is still the web process's.
"""

from __future__ import annotations

import zlib

import orjson

from pipeline.store.events import Filters
from web.feed.wish import Wish

YES = b"yes"
SESSION_IS_FULL = b"session"
RELAY_IS_FULL = b"process"
TAKEN = b"taken"
MESSAGE_LIMIT_BYTES = 65_536


def name_of(number: int) -> str:
    """The file name of a relay's socket."""
    return f"relay-{number}.sock"


def relay_of(session_id: str, relays: int) -> int:
    """The number of the relay that serves a session."""
    return zlib.crc32(session_id.encode()) % relays


def order(wish: Wish, read_ahead: bytes) -> bytes:
    """An order for a feed; `read_ahead` is what the web process has read of the client's already."""
    filters = wish.filters
    head = {
        "session_id": wish.session_id,
        "after": wish.after,
        "epoch": wish.epoch,
        "filters": [filters.event_types, filters.statuses, filters.categories, filters.priorities],
        "transport": wish.transport,
    }
    return orjson.dumps(head) + b"\n" + read_ahead


def read_order(message: bytes) -> tuple[Wish, bytes]:
    """The order's wish, and what was read ahead. Raises ValueError or KeyError for what is no order."""
    head, _, read_ahead = message.partition(b"\n")
    told = orjson.loads(head)
    filters = Filters(*(tuple(words) for words in told["filters"]))
    return Wish(told["session_id"], told["after"], told["epoch"], filters, told["transport"]), read_ahead
