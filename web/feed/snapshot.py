"""Where a session stands, in one answer: its newest messages folded, what is written of answers, its newest events."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import orjson

from pipeline.bus import Bus
from pipeline.errors import BusUnavailable
from pipeline.event import Event, encode
from pipeline.settings import Settings
from pipeline.store import Store, conversations
from web.feed.fold import Message, fold
from web.feed.folded import message_json
from web.feed.history import History
from web.feed.page_cache import PageCache
from web.feed.polls import tag_of

_EVENTS_PER_MESSAGE = 100
"""A question has 13 events, and one more for each further try: so many are read for each message that is wanted."""
_OVERHEAD_BYTES = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """All of a snapshot but the answers, which grow without an event.

    `heads` are the messages by id, as `message_json` has them. `cut`: older events were not looked at.
    """

    last_id: int
    heads: dict[str, bytes]
    cut: bool
    tail: bytes
    has_more: bool
    lasts: bool = True

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.tail) + sum(len(head) for head in self.heads.values()) + _OVERHEAD_BYTES


class Snapshots:
    """Answers pages that come late. Every call waits for Redis and the database, and raises when one is away.

    Without Redis nobody can tell what the last event is, and so where a feed should go on.
    """

    def __init__(self, settings: Settings, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store
        self._history = History(bus, store)
        self.cache: PageCache[Drawn] = PageCache(
            settings.poll_cache_limit_entries, settings.poll_cache_limit_bytes, settings.poll_cache_seconds
        )

    def read(self, session_id: str, messages: int, limit: int) -> tuple[bytes, str]:
        """The newest `messages` messages and the newest `limit` events, as JSON, with its weak tag.

        Raises BusUnavailable, StoreUnavailable.
        """
        clock = self._bus.session_clock(session_id)
        key = (session_id, messages, limit)
        drawn = self.cache.give(key, clock.mark, lambda: self._draw(session_id, messages, limit))
        heads = [*drawn.heads.items(), *self._queued(session_id, messages, drawn)][-messages:]
        told = b",".join(head + self._answer(session_id, message_id) + b"}" for message_id, head in heads)
        fields = {
            "session_id": session_id,
            "epoch": clock.epoch,
            "last_id": drawn.last_id,
            "next_after": drawn.last_id,
            "has_more": drawn.has_more,
        }
        body = encode(fields)[:-1] + b',"messages":[' + told + b'],"events":[' + drawn.tail + b"]}"
        return body, tag_of(body)

    def _draw(self, session_id: str, messages: int, limit: int) -> Drawn:
        count = max(limit + 1, messages * _EVENTS_PER_MESSAGE)
        look = self._history.look_latest(session_id, count)
        if not look.complete:
            raise BusUnavailable
        events = look.events
        cut = len(events) == count
        known = fold(orjson.loads(event.wire) for event in events)
        beginnings = _beginnings(events)
        heads = {
            message.message_id: _head(message, whole=not cut or beginnings[message.message_id])
            for message in list(known.values())[-messages:]
        }
        tail = b",".join(event.wire for event in events[-limit:])
        return Drawn(look.upto, heads, cut, tail, len(events) > limit)

    def _queued(self, session_id: str, messages: int, drawn: Drawn) -> list[tuple[str, bytes]]:
        """Accepted messages that no event has told of yet. Of a long past nobody knows that without reading it all."""
        if drawn.cut:
            return []
        waiting = conversations.unfinished(self._store, session_id, messages)
        queued = [Message(message_id, status="queued") for message_id in waiting if message_id not in drawn.heads]
        return [(message.message_id, _head(message, whole=True)) for message in queued]

    def _answer(self, session_id: str, message_id: str) -> bytes:
        """What there is of the answer in Redis, as the feed tells it. Another session's message has none here."""
        run = self._bus.run_state(message_id)
        if not run.answer or self._bus.run_fields(message_id, ["sid"]) != [session_id.encode()]:
            return b',"answer":null'
        return b',"answer":' + encode({"attempt": run.tries, "offset": 0, "text": run.answer})


def _beginnings(events: Sequence[Event]) -> dict[str | None, bool]:
    """Whether the first event of a message is its beginning."""
    found: dict[str | None, bool] = {}
    for event in events:
        found.setdefault(event.message_id, (event.event_type, event.event_status) == ("message_received", "started"))
    return found


def _head(message: Message, *, whole: bool) -> bytes:
    return message_json(message) + (b',"whole":true' if whole else b',"whole":false')
