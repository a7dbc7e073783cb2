"""What web processes and relays say to each other when a socket is handed over. No I/O.

One connection (Unix, SOCK_SEQPACKET, so that a message stays whole) hands over one socket:

    web    → relay   ask: for whom a place is wanted
    relay  → web     YES, or why there is no place
    web    → relay   an order, with the socket's descriptor
    relay  → web     TAKEN, before it writes to the socket

As long as the connection lives a place is kept. Without TAKEN the socket is still the web process's.

Whoever asks for FIGURES is given what the relay has counted, as JSON. A relay that begins asks the one that is there
for its clients: see `web.relay.parcels`.
"""

from __future__ import annotations

import dataclasses
import zlib

import orjson

from pipeline.event import is_session_id
from pipeline.store.events import Filters
from web.access import Rights
from web.feed.seats import Claim
from web.feed.transports import BY_NAME
from web.feed.wish import Scope, Wish

YES = b"yes"
TAKEN = b"taken"
FIGURES = b"figures"
MESSAGE_LIMIT_BYTES = 65_536
_SUCCESSION = b"succession "


def name_of(number: int) -> str:
    """The file name of a relay's socket."""
    return f"relay-{number}.sock"


def relay_of(name: str, relays: int) -> int:
    """The number of the relay that serves a session, or the feeds across sessions of a user."""
    return zlib.crc32(name.encode()) % relays


def ask(claim: Claim) -> bytes:
    """The question for a place."""
    return orjson.dumps(claim)


def read_ask(message: bytes) -> Claim:
    """For whom a place is wanted. Raises ValueError or TypeError for what is no such question."""
    claim = Claim(**orjson.loads(message))
    if not all(isinstance(word, str) for word in dataclasses.astuple(claim)):
        raise TypeError("words")
    if not (is_session_id(claim.session_id) or not claim.session_id) or claim.kind not in BY_NAME:
        raise ValueError("no session, or no transport")
    return claim


def succession(version: str) -> bytes:
    """The question of a relay's successor, which reads luggage of this version."""
    return _SUCCESSION + version.encode()


def read_succession(message: bytes) -> str | None:
    """The successor's version; None for another question."""
    return message.removeprefix(_SUCCESSION).decode(errors="replace") if message.startswith(_SUCCESSION) else None


def order(wish: Wish, rights: Rights, read_ahead: bytes) -> bytes:
    """An order for a feed; `read_ahead` is what the web process has read of the client's already."""
    filters = wish.filters
    head = {
        "session_id": wish.session_id,
        "after": wish.after,
        "epoch": wish.epoch,
        "filters": [filters.event_types, filters.statuses, filters.categories, filters.priorities],
        "transport": wish.transport,
        "scope": wish.scope,
        "user_id": wish.user_id,
        "rights": rights,
    }
    return orjson.dumps(head) + b"\n" + read_ahead


def read_order(message: bytes) -> tuple[Wish, Rights, bytes]:
    """The order's wish, its client's rights, and what was read ahead.

    Raises ValueError, KeyError or TypeError for what is no order.
    """
    head, _, read_ahead = message.partition(b"\n")
    told = orjson.loads(head)
    filters = Filters(*(tuple(words) for words in told["filters"]))
    # A web process that has not been restarted yet says nothing of scopes.
    scope, user_id = Scope(told.get("scope", Scope.SESSION)), str(told.get("user_id", ""))
    wish = Wish(told["session_id"], told["after"], told["epoch"], filters, told["transport"], scope, user_id)
    if (wish.scope is Scope.SESSION) != bool(wish.session_id):
        raise ValueError("a session without a name, or a name without a session")
    return wish, Rights(**told["rights"]), read_ahead
